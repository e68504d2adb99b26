package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// A Login is what is known of a delegated account's login.
type Login struct {
	User        string    `json:"user"`
	SignedInAt  time.Time `json:"signed_in_at"` // when a person signed in
	RefreshedAt time.Time `json:"refreshed_at"` // when its refresh token was last renewed
}

// loginLifetime is how long a refresh token lasts unused: Microsoft's page
// "Refresh tokens in the Microsoft identity platform". Each use returns a new one.
const loginLifetime = 90 * 24 * time.Hour

// LapsesAt is when the login ends if it is not refreshed before.
func (l Login) LapsesAt() time.Time { return l.RefreshedAt.Add(loginLifetime) }

// ErrChanged means that a login was replaced since it was read.
var ErrChanged = errors.New("somebody else has written the login meanwhile")

// Logins keep one login for each delegated account. What they keep holds tokens.
type Logins interface {
	// Check reports why a login could not be kept, before there is one.
	Check(ctx context.Context, account string) error
	// Load returns what is kept and its revision; both are empty when there is none.
	Load(ctx context.Context, account string) (data []byte, revision string, err error)
	// Save replaces what is kept and returns its new revision. With a revision to be
	// based on, it replaces that one only, or returns ErrChanged.
	Save(ctx context.Context, account string, data []byte, basedOn *string) (revision string, err error)
}

// NoLogins is where none can be kept, and why.
type NoLogins struct{ Reason error }

var _ Logins = NoLogins{}

// Check returns the reason.
func (n NoLogins) Check(context.Context, string) error { return n.Reason }

// Load returns the reason.
func (n NoLogins) Load(context.Context, string) ([]byte, string, error) { return nil, "", n.Reason }

// Save returns the reason.
func (n NoLogins) Save(context.Context, string, []byte, *string) (string, error) {
	return "", n.Reason
}

const recordVersion = 1

// A record is a login as it is kept.
type record struct {
	Version int `json:"version"`
	Login
	Cache json.RawMessage `json:"cache"` // MSAL's own form
}

// usable reports whether there is a refresh token in it.
func (r record) usable() bool {
	var kept struct{ RefreshToken map[string]json.RawMessage }
	return json.Unmarshal(r.Cache, &kept) == nil && len(kept.RefreshToken) > 0
}

func (r record) bytes() ([]byte, error) {
	if r.Cache == nil {
		r.Cache = json.RawMessage("{}")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if enc.Encode(r) != nil {
		return nil, errors.New("the login cannot be written as JSON") // the cause could show it
	}
	return b.Bytes(), nil
}

// parseRecord reads what is kept; no data makes a record that is not usable.
func parseRecord(data []byte) (record, error) {
	var r record
	if len(data) == 0 {
		return r, nil
	}
	if json.Unmarshal(data, &r) != nil {
		return record{}, errors.New("is damaged")
	}
	if r.Version != recordVersion {
		return record{}, errors.New("was written by another version of curfew")
	}
	return r, nil
}
