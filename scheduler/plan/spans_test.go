package plan_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/zone"
)

// TestSpansAgreeWithWanted asks at random instants, and at the edges of each span.
func TestSpansAgreeWithWanted(t *testing.T) {
	copenhagen, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 10, 20, 9, 30, 0, 0, copenhagen)
	to := from.AddDate(0, 0, 21)
	p, err := plan.Compile(plan.Spec{
		Environments: []string{"a", "b"},
		Schedules:    []plan.Schedule{{Name: "s", Environments: []string{"a"}, Location: copenhagen, Uptime: []plan.Window{{Days: 0b0111110, Begin: 7 * 60, End: 19 * 60}}}},
		Exceptions: []plan.Exception{{
			Name: "x", Environments: []string{"a", "b"}, From: from.AddDate(0, 0, 3), Until: from.AddDate(0, 0, 5), Location: copenhagen, Keep: plan.Running,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]int{"a": 20, "b": 3, "nobody": 1} {
		spans := p.Spans(name, from, to)
		if len(spans) < least || !spans[0].From.Equal(from) || !spans[len(spans)-1].To.Equal(to) {
			t.Fatalf("%s: %d spans from %v, want %d at least, over the whole range", name, len(spans), spans[0].From, least)
		}
		for i, s := range spans {
			if i > 0 && (!s.From.Equal(spans[i-1].To) || s.Wanted == spans[i-1].Wanted) {
				t.Errorf("%s: %v follows %v", name, s, spans[i-1])
			}
			within := s.From.Add(time.Duration(rand.Int64N(int64(s.To.Sub(s.From)))))
			for _, at := range []time.Time{s.From, within, s.To.Add(-time.Nanosecond)} {
				if got := p.Wanted(name, at).Wanted; got != s.Wanted {
					t.Errorf("%s at %v: the span says %s, Wanted %s", name, at, s.Wanted, got)
				}
			}
		}
	}
	if got := p.Spans("a", to, from); got != nil {
		t.Errorf("spans of an empty range = %v, want none", got)
	}
}
