package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"curfew/scheduler"
)

// Logins keeps the sign-ins of delegated accounts, encrypted by whoever writes them.
type Logins struct{ *database }

// Login returns what was last kept of an account's sign-in, as it was passed to
// SaveLogin, and its revision; nil and "" when nothing was kept yet.
func (s *Logins) Login(ctx context.Context, account string) (sealed []byte, revision string, err error) {
	var text string
	err = s.tx(ctx, func(q session) error {
		_, err := ignoreNoRows(q.row(ctx, `SELECT sealed, CAST(revision AS TEXT) FROM logins WHERE account = ?`, account).Scan(&text, &revision))
		return err
	})
	if err == nil && revision != "" {
		sealed, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the login of %s: %w", account, err)
	}
	return sealed, revision, nil
}

// SaveLogin keeps an account's sign-in and returns its new revision. It must be
// encrypted already: it is kept as it comes. With basedOn nil it replaces whatever
// is there, for a person signed in; otherwise only what has that revision, "" for
// nothing; scheduler.ErrStale: it has another.
func (s *Logins) SaveLogin(ctx context.Context, account string, sealed []byte, basedOn *string) (revision string, err error) {
	// One statement each: a replica that does the same at once is waited for, and
	// then the condition is checked again.
	text := base64.StdEncoding.EncodeToString(sealed)
	query, args := `INSERT INTO logins (account, sealed, revision) VALUES (?, ?, 1) ON CONFLICT (account) `, []any{account, text}
	switch {
	case basedOn == nil:
		query += `DO UPDATE SET sealed = excluded.sealed, revision = logins.revision + 1`
	case *basedOn == "":
		query += `DO NOTHING`
	default:
		query, args = `UPDATE logins SET sealed = ?, revision = revision + 1 WHERE account = ? AND CAST(revision AS TEXT) = ?`, []any{text, account, *basedOn}
	}
	err = s.tx(ctx, func(q session) error {
		var n int64
		found, err := ignoreNoRows(q.row(ctx, query+` RETURNING revision`, args...).Scan(&n))
		if err == nil && !found {
			err = scheduler.ErrStale
		}
		revision = strconv.FormatInt(n, 10)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("write the login of %s: %w", account, err)
	}
	return revision, nil
}
