package store_test

import (
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/store"
)

// openWith opens a database as one more replica, with a clock of its own.
func openWith(t *testing.T, dsn string, own func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Clock: clock.New(own)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A loading is one step of a table: a process has a file active, or makes a tick by one.
type loading struct {
	replica      string
	file, before string
	tick         bool // by file, instead
	after        time.Duration
	newest       string // then
	fresh        bool   // the rule of file stands since now, with a loading
}

func TestNewestScheduleFileIsTheOneThatIsNewToAll(t *testing.T) {
	tests := []struct {
		name  string
		steps []loading
	}{
		{"a rolling change", []loading{
			{replica: "a", file: "1", newest: "1", fresh: true},
			{replica: "b", file: "1", newest: "1"},
			{replica: "b", file: "2", before: "1", newest: "2", fresh: true},
			{replica: "a", file: "2", before: "1", newest: "2"},
		}},
		{"a start with the older file while the newer one ticks", []loading{
			{replica: "a", file: "1", newest: "1", fresh: true},
			{replica: "b", file: "2", newest: "2", fresh: true},
			{replica: "b", file: "2", tick: true, newest: "2"},
			{replica: "a", file: "1", newest: "2", fresh: true},
			{replica: "b", file: "2", newest: "2"}, // its rules are as they were
		}},
		{"a start with an older file when nobody has the newer one", []loading{
			{replica: "a", file: "1", newest: "1", fresh: true},
			{replica: "b", file: "2", newest: "2", fresh: true},
			{replica: "a", file: "1", after: 2 * time.Minute, newest: "1", fresh: true},
		}},
		{"a change back", []loading{
			{replica: "a", file: "1", newest: "1", fresh: true},
			{replica: "a", file: "2", before: "1", newest: "2", fresh: true},
			{replica: "a", file: "1", before: "2", newest: "1", fresh: true},
		}},
		{"a replica that is two changes behind", []loading{
			{replica: "a", file: "1", newest: "1", fresh: true},
			{replica: "b", file: "2", newest: "2", fresh: true},
			{replica: "b", file: "3", before: "2", newest: "3", fresh: true},
			{replica: "a", file: "2", before: "1", newest: "3", fresh: true},
			{replica: "a", file: "3", before: "2", newest: "3"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := postgresDSN(t)
			each := map[string]*store.Store{"a": openWith(t, dsn, nil), "b": openWith(t, dsn, nil)}
			now := t0
			for i, step := range tt.steps {
				s := each[step.replica]
				now = now.Add(step.after + time.Second)
				for _, one := range each { // each lives
					if _, err := one.Queue.Recover(t.Context(), now); err != nil {
						t.Fatal(err)
					}
				}
				rule := scheduler.Rule{Name: "a", Environment: "dev-01", Fingerprint: step.file}
				if step.tick {
					commit(t, s, step.file, now)
				} else if since, err := s.Runs.SyncRules(t.Context(), scheduler.Loading{At: now, File: step.file, Before: step.before, Rules: []scheduler.Rule{rule}}); err != nil || since[rule].Equal(now) != step.fresh {
					t.Errorf("step %d: the rule stands since %v ago, %v, want fresh = %t", i, now.Sub(since[rule]), err, step.fresh)
				}
				c, err := s.Runs.Cursor(t.Context())
				if err != nil || c.Files[0].Digest != step.newest {
					t.Errorf("step %d: files = %+v, %v, want %s to be the newest", i, c.Files, err, step.newest)
				}
			}
		})
	}
}

func commit(t *testing.T, s *store.Store, file string, to time.Time) {
	t.Helper()
	c, err := s.Runs.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.File = file
	if _, err := s.Runs.CommitTick(t.Context(), c, to, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFiresOfAFileAreWrittenSinceItsOwnLastTick(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		load := func(file string, at time.Time) {
			t.Helper()
			if _, err := b.Runs.SyncRules(t.Context(), scheduler.Loading{At: at, File: file}); err != nil {
				t.Fatal(err)
			}
		}
		load("1", t0)
		load("2", t0.Add(time.Minute))
		commit(t, b.Store, "2", t0.Add(2*time.Minute))
		commit(t, b.Store, "1", t0.Add(5*time.Minute))
		if err := b.Runs.HoldTick(t.Context(), "1", t0.Add(6*time.Minute)); err != nil {
			t.Fatal(err)
		}
		c, err := b.Runs.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for file, want := range map[string]time.Duration{"1": 5 * time.Minute, "2": 2 * time.Minute, "3": 5 * time.Minute} {
			if got := c.Since(file).Sub(t0); got != want {
				t.Errorf("fires of file %s are written up to %v, want %v", file, got, want)
			}
		}
		if f, ok := c.Newer("1", t0.Add(150*time.Second)); !ok || f.Digest != "2" {
			t.Errorf("newer than 1 = %+v, %t, want 2", f, ok)
		}
		if f, ok := c.Newer("1", t0.Add(4*time.Minute)); ok {
			t.Errorf("newer than 1 = %+v, want none: it ticks no longer", f)
		}
		if f, ok := c.Older(t0.Add(6 * time.Minute)); !ok || f.Digest != "1" {
			t.Errorf("older = %+v, %t, want 1", f, ok)
		}
		if f, ok := c.Older(t0.Add(8 * time.Minute)); ok {
			t.Errorf("older = %+v, want none", f)
		}
	})
}
