package plan_test

import (
	"testing"
	"time"

	"curfew/scheduler/plan"
)

func mustWindow(tb testing.TB, s string) plan.Window {
	tb.Helper()
	w, err := plan.ParseWindow(s)
	if err != nil {
		tb.Fatalf("ParseWindow(%q) = %v", s, err)
	}
	return w
}

func mustTrigger(tb testing.TB, s string, days plan.Days) plan.Trigger {
	tb.Helper()
	trigger, err := plan.ParseTrigger(s, days)
	if err != nil {
		tb.Fatalf("ParseTrigger(%q) = %v", s, err)
	}
	return trigger
}

func mustCompile(tb testing.TB, s plan.Spec) *plan.Plan {
	tb.Helper()
	p, err := plan.Compile(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func mustTime(tb testing.TB, s string) time.Time {
	tb.Helper()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}
