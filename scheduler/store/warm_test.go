package store_test

import "testing"

// What fails in a rehearsal is only logged: a fire works without.
func TestRehearsalGoesThroughAndLeavesNothing(t *testing.T) {
	b := newBench(t, postgresDSN(t))
	if err := b.Rehearse(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"runs", "calls", "projects", "events", "river_job"} {
		if n := b.count(`SELECT COUNT(*) FROM ` + table); n != 0 {
			t.Errorf("%d rows of %s are left, want none", n, table)
		}
	}
}
