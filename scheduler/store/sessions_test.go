package store_test

import (
	"testing"
	"time"
)

// session returns the data of a session at t0, "" when there is none.
func (b *bench) session(hash string) string {
	b.t.Helper()
	data, found, err := b.Sessions.Session(b.t.Context(), hash, t0)
	if err != nil {
		b.t.Fatal(err)
	}
	if found != (data != nil) {
		b.t.Errorf("session %s: found %v, data %q", hash, found, data)
	}
	return string(data)
}

func (b *bench) saveSession(hash, data string, expires time.Time) {
	b.t.Helper()
	if err := b.Sessions.SaveSession(b.t.Context(), hash, []byte(data), expires); err != nil {
		b.t.Fatal(err)
	}
}

func TestSessionLastsUntilItExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.saveSession("a", "\x00anna\xff", t0.Add(time.Second))
		b.saveSession("b", "bob", t0)
		b.reopen()
		if got := b.session("a"); got != "\x00anna\xff" {
			t.Errorf("session = %q, want it as it was kept", got)
		}
		if got := b.session("b"); got != "" {
			t.Errorf("session at its end = %q, want none", got)
		}
		if got := b.session("c"); got != "" {
			t.Errorf("session that never was = %q, want none", got)
		}
		b.saveSession("b", "bob again", t0.Add(time.Hour))
		if got := b.session("b"); got != "bob again" {
			t.Errorf("session that was saved again = %q", got)
		}
	})
}

func TestEndedSessionCannotBeBroughtBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.saveSession("a", "anna", t0.Add(time.Hour))
		for _, tt := range []struct {
			hash  string
			ended bool
		}{{"a", true}, {"a", false}, {"unknown", false}} {
			if ended, err := b.Sessions.EndSession(t.Context(), tt.hash); err != nil || ended != tt.ended {
				t.Errorf("EndSession(%s) = %v, %v; want %v", tt.hash, ended, err, tt.ended)
			}
		}
		b.saveSession("a", "anna", t0.Add(time.Hour)) // by a request that was under way
		if got := b.session("a"); got != "" {
			t.Errorf("ended session = %q, want none", got)
		}
	})
}

func TestExpiredSessionsAreRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.saveSession("old", "anna", t0.Add(-time.Second))
		b.saveSession("new", "bob", t0.Add(time.Second))
		if err := b.Prune(t.Context(), t0); err != nil {
			t.Fatal(err)
		}
		if got := b.count(`SELECT COUNT(*) FROM sessions`); got != 1 || b.session("new") != "bob" {
			t.Errorf("%d sessions are left, want the one that has not expired", got)
		}
	})
}
