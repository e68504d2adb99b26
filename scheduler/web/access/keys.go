package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"curfew/scheduler"
)

// A KeyStore keeps calendar keys.
type KeyStore interface {
	// AddKey keeps a key. A *scheduler.InvalidError says that its owner has too many.
	AddKey(ctx context.Context, k scheduler.CalendarKey, e scheduler.Event) error
	// CalendarKeys returns the keys of somebody, of everybody when the actor is empty.
	CalendarKeys(ctx context.Context, of scheduler.Actor) ([]scheduler.CalendarKey, error)
	// KeyOf returns the key that has a hash. ErrNoCalendarKey.
	KeyOf(ctx context.Context, hash string) (scheduler.CalendarKey, error)
	// RevokeKey removes a key, of its owner alone unless the actor is empty. ErrNoCalendarKey.
	RevokeKey(ctx context.Context, id string, of scheduler.Actor, emit func(scheduler.CalendarKey) scheduler.Event) error
}

// Keys are the keys of calendars: each opens the calendar of the user who made it, with the
// role that the active schedule file grants that user.
type Keys struct {
	store  KeyStore
	policy *Policy
}

// NewKeys makes the keys.
func NewKeys(s KeyStore, p *Policy) *Keys { return &Keys{s, p} }

// Make makes a key for the user of a context. It cannot be shown again.
func (k *Keys) Make(ctx context.Context) (key string, err error) {
	who := From(ctx)
	if !who.SignedIn() {
		return "", denied("a calendar key belongs to a user: sign in to make one")
	}
	if err := who.May(Read); err != nil {
		return "", err
	}
	claims, err := json.Marshal(who.Claims)
	if err != nil {
		return "", fmt.Errorf("make a calendar key: %w", err)
	}
	key = rand.Text()
	made := scheduler.CalendarKey{ID: strings.ToLower(rand.Text()[:8]), Hash: hashOf(key), Owner: who.Actor, Claims: claims, CreatedAt: time.Now().UTC()}
	return key, k.store.AddKey(ctx, made, keyEvent(scheduler.ChangeMakeKey, who.Actor, made))
}

// List returns the keys that the identity of a context may revoke.
func (k *Keys) List(ctx context.Context) ([]scheduler.CalendarKey, error) {
	of, ok := reach(From(ctx))
	if !ok {
		return nil, nil
	}
	return k.store.CalendarKeys(ctx, of)
}

// reach returns whose keys somebody may revoke: an operator everybody's, which is the empty
// actor, a user their own; ok is false for the others.
func reach(who Identity) (of scheduler.Actor, ok bool) {
	if who.Role == Operator {
		return scheduler.Actor{}, true
	}
	return who.Actor, who.SignedIn()
}

// Revoke ends a key. ErrNoCalendarKey: the identity of the context has no such key.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	who := From(ctx)
	of, ok := reach(who)
	if !ok {
		return denied("sign in to revoke a calendar key")
	}
	return k.store.RevokeKey(ctx, id, of, func(old scheduler.CalendarKey) scheduler.Event {
		return keyEvent(scheduler.ChangeRevokeKey, who.Actor, old)
	})
}

// Open returns whose calendar a key opens, and as what; ok is false for one that is wrong or
// revoked, and for one of a user who may not read any more.
func (k *Keys) Open(ctx context.Context, key, from string) (who Identity, ok bool, err error) {
	found, err := k.store.KeyOf(ctx, hashOf(key))
	switch {
	case errors.Is(err, scheduler.ErrNoCalendarKey):
		return who, false, nil
	case err != nil:
		return who, false, err
	}
	var claims Claims
	if err := json.Unmarshal(found.Claims, &claims); err != nil {
		return who, false, fmt.Errorf("read calendar key %s: %w", found.ID, err)
	}
	who = k.policy.Identify(claims, from)
	return who, who.May(Read) == nil, nil
}

// hashOf is what is kept of a key. A key is random and long, so that one round is enough; it
// is looked up by its hash, so that the time taken says nothing of the key.
func hashOf(key string) string {
	sum := sha256.Sum256([]byte("calendar " + key))
	return hex.EncodeToString(sum[:])
}

func keyEvent(did scheduler.ChangeAction, by scheduler.Actor, k scheduler.CalendarKey) scheduler.Event {
	e := scheduler.Event{Kind: scheduler.EventKey, At: time.Now().UTC(), By: by}
	text := "calendar key " + k.ID + " of " + k.Owner.String()
	if did == scheduler.ChangeMakeKey {
		e.Reason, e.Change = text+" made", scheduler.Change{Action: did, After: text}
	} else {
		e.Reason, e.Change = text+" revoked", scheduler.Change{Action: did, Before: text}
	}
	return e
}
