package store_test

import (
	"slices"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
)

func TestSpansAreWhatObservationsShowed(t *testing.T) {
	type seen struct {
		after time.Duration
		as    lcs.Condition
	}
	type span struct {
		from, until time.Duration
		as          lcs.Condition
	}
	const m = time.Minute
	tests := []struct {
		name string
		seen []seen
		from time.Duration
		now  time.Duration
		want []span
	}{
		{"one observation stands until now", []seen{{0, lcs.Running}}, 0, 4 * m, []span{{0, 4 * m, lcs.Running}}},
		{"and for 15 minutes at most", []seen{{0, lcs.Running}}, 0, 60 * m, []span{{0, 15 * m, lcs.Running}}},
		{"equal ones are one span", []seen{{0, lcs.Running}, {5 * m, lcs.Running}, {20 * m, lcs.Running}}, 0, 21 * m, []span{{0, 21 * m, lcs.Running}}},
		{"another condition begins another span", []seen{{0, lcs.Running}, {5 * m, lcs.Stopping}, {12 * m, lcs.Stopped}}, 0, 15 * m, []span{{0, 5 * m, lcs.Running}, {5 * m, 12 * m, lcs.Stopping}, {12 * m, 15 * m, lcs.Stopped}}},
		{"nothing is known of a long gap", []seen{{0, lcs.Running}, {40 * m, lcs.Running}}, 0, 41 * m, []span{{0, 15 * m, lcs.Running}, {40 * m, 41 * m, lcs.Running}}},
		{"a change after a long gap", []seen{{0, lcs.Running}, {40 * m, lcs.Stopped}}, 0, 41 * m, []span{{0, 15 * m, lcs.Running}, {40 * m, 41 * m, lcs.Stopped}}},
		{"an older observation changes nothing", []seen{{10 * m, lcs.Running}, {5 * m, lcs.Stopped}, {12 * m, lcs.Running}}, 0, 13 * m, []span{{10 * m, 13 * m, lcs.Running}}},
		{"the range cuts the spans", []seen{{0, lcs.Running}, {5 * m, lcs.Stopped}}, 3 * m, 7 * m, []span{{3 * m, 5 * m, lcs.Running}, {5 * m, 7 * m, lcs.Stopped}}},
		{"what ended before the range is not in it", []seen{{0, lcs.Running}, {5 * m, lcs.Stopped}}, 5 * m, 7 * m, []span{{5 * m, 7 * m, lcs.Stopped}}},
	}
	onBoth(t, func(t *testing.T, b *bench) {
		for i, tt := range tests {
			id := string(rune('a' + i))
			for _, o := range tt.seen {
				record(t, b, scheduler.Observation{Project: 7, ID: id, Page: 1, At: t0.Add(o.after), Condition: o.as})
			}
			got, err := b.Observations.Spans(t.Context(), t0.Add(tt.from), t0.Add(tt.now), id)
			if err != nil {
				t.Fatal(err)
			}
			var spans []span
			for _, s := range got {
				spans = append(spans, span{s.From.Sub(t0), s.Until.Sub(t0), s.Condition})
			}
			if !slices.Equal(spans, tt.want) {
				t.Errorf("%s: spans = %v, want %v", tt.name, spans, tt.want)
			}
		}
	})
}

func TestSpansAreRemovedWithTheHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for _, after := range []time.Duration{0, time.Hour, 2 * time.Hour} {
			record(t, b, scheduler.Observation{Project: 7, ID: "a", Page: 1, At: t0.Add(after), Condition: lcs.Running})
		}
		if n, err := b.PruneHistory(t.Context(), t0.Add(30*time.Minute)); n != 1 || err != nil {
			t.Fatalf("PruneHistory = %d, %v; want 1 span", n, err)
		}
		got, err := b.Observations.Spans(t.Context(), t0, t0.Add(3*time.Hour), "a")
		if err != nil || len(got) != 2 || !got[0].From.Equal(t0.Add(time.Hour)) {
			t.Errorf("Spans = %v, %v; want those since %v", got, err, t0.Add(time.Hour))
		}
	})
}

// record writes what a call showed that ended after all of them.
func record(t *testing.T, b *bench, seen ...scheduler.Observation) {
	t.Helper()
	if err := b.Observations.Record(t.Context(), scheduler.Call{Done: t0.Add(24 * time.Hour)}, seen); err != nil {
		t.Fatal(err)
	}
}
