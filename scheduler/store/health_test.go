package store_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/store"
)

func unready(t *testing.T, s *store.Store) string {
	t.Helper()
	err := s.Ping(t.Context())
	if err == nil {
		return ""
	}
	u, ok := errors.AsType[*scheduler.UnreadyError](err)
	if !ok {
		t.Fatalf("Ping = %v, want an UnreadyError", err)
	}
	return u.Reason
}

func TestForeignLockIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	s, err := store.Open(t.Context(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if got := unready(t, s); got != "" {
		t.Fatalf("Ping = %q at first", got)
	}
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if got := unready(t, s); got != scheduler.UnreadyLocked {
		t.Errorf("Ping = %q, want %q", got, scheduler.UnreadyLocked)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := unready(t, s); got != "" {
		t.Errorf("Ping = %q after the lock, want ready", got)
	}
}

func TestFailedWriteIsReportedUntilOneSucceeds(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func() error {
		_, err := s.Links.Key(t.Context(), time.Now().String(), string(make([]byte, 1<<16)))
		return err
	}
	if err := s.Exec(t.Context(), `PRAGMA max_page_count = 1`); err != nil { // no file has fewer than it has
		t.Fatal(err)
	}
	if err := write(); err == nil {
		t.Fatal("a write to a full database returned no error")
	}
	if got := unready(t, s); got != scheduler.UnreadyDisk {
		t.Errorf("Ping = %q, want %q", got, scheduler.UnreadyDisk)
	}
	if err := s.Exec(t.Context(), `PRAGMA max_page_count = 1000000`, `PRAGMA query_only = 1`); err != nil {
		t.Fatal(err)
	}
	if err := write(); err == nil {
		t.Fatal("a write to a database that takes none returned no error")
	}
	if got := unready(t, s); got != scheduler.UnreadyWrite {
		t.Errorf("Ping = %q, want %q", got, scheduler.UnreadyWrite)
	}
	if err := s.Exec(t.Context(), `PRAGMA query_only = 0`); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if got := unready(t, s); got != "" {
		t.Errorf("Ping = %q after a write, want ready", got)
	}
}

func TestBrokenRuleIsNoFailedWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if _, err := b.Runs.Run(t.Context(), "nobody"); !errors.Is(err, scheduler.ErrNoRun) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Links.Key(ctx, "links", "k"); err == nil {
			t.Fatal("a write that nobody waits for returned no error")
		}
		if got := unready(t, b.Store); got != "" {
			t.Errorf("Ping = %q, want ready", got)
		}
	})
}

func TestNoConnectionIsReported(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		release := b.TakeConnections(t)
		if got := unready(t, b.Store); got != scheduler.UnreadyConnection {
			t.Errorf("Ping = %q, want %q", got, scheduler.UnreadyConnection)
		}
		release()
		if got := unready(t, b.Store); got != "" {
			t.Errorf("Ping = %q with a connection again, want ready", got)
		}
	})
}

// A check that waits for a connection must not keep its holder from writing.
func TestCheckHoldsNoLockWhileItWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	s, err := store.Open(t.Context(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := s.TakeConnections(t)
	defer release()
	checked := make(chan error, 1)
	go func() { checked <- s.Ping(t.Context()) }()
	other, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=busy_timeout(1000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for {
		tx, err := other.Begin()
		if err != nil {
			t.Fatalf("while a check waits, the lock cannot be had: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-checked:
			return
		default:
		}
	}
}
