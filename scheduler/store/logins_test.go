package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"curfew/scheduler"
)

// login returns what is kept of the account main.
func (b *bench) login() (sealed []byte, revision string) {
	b.t.Helper()
	sealed, revision, err := b.Logins.Login(b.t.Context(), "main")
	if err != nil {
		b.t.Fatal(err)
	}
	return sealed, revision
}

func (b *bench) saveLogin(account, sealed string) (revision string) {
	b.t.Helper()
	revision, err := b.Logins.SaveLogin(b.t.Context(), account, []byte(sealed), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return revision
}

func TestLoginIsReturnedAsItWasKept(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if sealed, revision := b.login(); sealed != nil || revision != "" {
			t.Errorf("before any was kept = %q, revision %q; want nil and none", sealed, revision)
		}
		all := make([]byte, 256) // no text of any encoding
		for i := range all {
			all[i] = byte(i)
		}
		kept := b.saveLogin("main", string(all))
		b.saveLogin("second", "another")
		b.reopen()
		if sealed, revision := b.login(); !bytes.Equal(sealed, all) || revision != kept {
			t.Errorf("after a restart = %q, revision %q; want what was kept, %q", sealed, revision, kept)
		}
	})
}

func TestLoginRevisionGrowsWithEveryWriteOfTheAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for i, want := range []string{"1", "2", "3"} {
			if got := b.saveLogin("main", fmt.Sprint(i)); got != want {
				t.Errorf("write %d = revision %q, want %q", i+1, got, want)
			}
		}
		four, err := b.Logins.SaveLogin(t.Context(), "main", []byte("3"), new("3"))
		if err != nil || four != "4" {
			t.Errorf("write on revision 3 = %q, %v; want 4", four, err)
		}
		if got := b.saveLogin("second", "other"); got != "1" {
			t.Errorf("first write of another account = revision %q, want 1", got)
		}
	})
}

func TestLoginIsReplacedOnlyWhereItIsTheOneThatWasRead(t *testing.T) {
	tests := []struct {
		name    string
		kept    int // writes before
		basedOn *string
		want    string // the new revision, "" when it is stale
	}{
		{"a person's sign-in is written where there is none", 0, nil, "1"},
		{"a person's sign-in replaces any", 2, nil, "3"},
		{"based on none, where there is none", 0, new(""), "1"},
		{"based on none, where there is one", 1, new(""), ""},
		{"based on the present one", 2, new("2"), "3"},
		{"based on an older one", 2, new("1"), ""},
		{"based on one, where there is none", 0, new("1"), ""},
		{"based on what is no revision", 1, new("01"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				for range tt.kept {
					b.saveLogin("main", "old")
				}
				before, revision := b.login()
				got, err := b.Logins.SaveLogin(t.Context(), "main", []byte("new"), tt.basedOn)
				if got != tt.want || (tt.want == "") != errors.Is(err, scheduler.ErrStale) || tt.want != "" && err != nil {
					t.Errorf("SaveLogin = %q, %v; want %q, or ErrStale for none", got, err, tt.want)
				}
				if tt.want != "" {
					before, revision = []byte("new"), tt.want
				}
				if sealed, now := b.login(); !bytes.Equal(sealed, before) || now != revision {
					t.Errorf("kept is %q of revision %q, want %q of %q", sealed, now, before, revision)
				}
			})
		})
	}
}

func TestOfLoginsBasedOnOneRevisionExactlyOneIsKept(t *testing.T) {
	tests := []struct {
		name  string
		first bool // nothing is kept yet
	}{
		{"the first one", true},
		{"a later one", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				replicas := b.replicas()
				revision := ""
				if !tt.first {
					revision = b.saveLogin("main", "old")
				}
				const writers = 16
				var errs [writers]error
				var done sync.WaitGroup
				begin := make(chan struct{})
				for i := range writers {
					done.Go(func() {
						<-begin
						_, errs[i] = replicas[i%2].Logins.SaveLogin(t.Context(), "main", fmt.Append(nil, i), &revision)
					})
				}
				close(begin)
				done.Wait()
				won := -1
				for i, err := range errs {
					switch {
					case err == nil && won < 0:
						won = i
					case !errors.Is(err, scheduler.ErrStale):
						t.Errorf("writer %d = %v, want one to win and ErrStale for the others", i, err)
					}
				}
				if sealed, _ := b.login(); string(sealed) != fmt.Sprint(won) {
					t.Errorf("kept is %q, want that of writer %d, who won", sealed, won)
				}
			})
		})
	}
}

func TestSignInsOfPersonsAtOnceAreAllCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const persons = 8
		var done sync.WaitGroup
		var errs [persons]error
		for i := range persons {
			done.Go(func() { _, errs[i] = b.Logins.SaveLogin(t.Context(), "main", fmt.Append(nil, i), nil) })
		}
		done.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if _, revision := b.login(); revision != fmt.Sprint(persons) {
			t.Errorf("revision = %q after %d sign-ins at once, want %d", revision, persons, persons)
		}
	})
}

func TestDamagedLoginIsReportedWithoutItsContent(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.saveLogin("main", "old")
		if err := b.Close(); err != nil { // SQLite has one process at a time
			t.Fatal(err)
		}
		b.exec(`UPDATE logins SET sealed = 'c2VjcmV0!'`)
		b.open()
		_, revision, err := b.Logins.Login(t.Context(), "main")
		if err == nil || revision != "" || strings.Contains(err.Error(), "c2VjcmV0") || !strings.Contains(err.Error(), "main") {
			t.Errorf("Login = revision %q, %v; want an error that names the account only", revision, err)
		}
	})
}

// What version 2 left: its schema, with its runs.
func TestLoginsAreKeptInADatabaseOfVersion2(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.downgrade()
		b.exec(`ALTER TABLE runs DROP COLUMN called_off`, `DROP TABLE logins`, `DELETE FROM curfew_schema WHERE version > 2`)
		b.open()
		if got := b.saveLogin("main", "new"); got != "1" {
			t.Errorf("first write = revision %q, want 1", got)
		}
	})
}
