package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
	"curfew/scheduler/zone"
)

// planned is an engine that shows the fires of a plan, and counts those that are read.
type planned struct {
	fixed
	plan *plan.Plan
	read *int
}

func (p planned) Fires(from, to time.Time) iter.Seq[plan.Fire] {
	return func(yield func(plan.Fire) bool) {
		for f := range p.plan.All(from, to) {
			*p.read++
			if !yield(f) {
				return
			}
		}
	}
}

// newPlanned has n environments: some with the same rules, and two with their own that
// fire at the same instants as others.
func newPlanned(tb interface{ Fatal(...any) }, n int) planned {
	loc, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		tb.Fatal(err)
	}
	spec := plan.Spec{}
	for _, rule := range []string{"mon-fri 07:00-19:00", "07:00-22:00", "mon 07:30-07:40"} {
		w, err := plan.ParseWindow(rule)
		if err != nil {
			tb.Fatal(err)
		}
		spec.Schedules = append(spec.Schedules, plan.Schedule{Name: rule, Location: loc, Uptime: []plan.Window{w}})
	}
	for i := range n {
		name := fmt.Sprintf("env-%d", i)
		spec.Environments = append(spec.Environments, name)
		s := &spec.Schedules[i%len(spec.Schedules)]
		s.Environments = append(s.Environments, name)
	}
	p, err := plan.Compile(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return planned{plan: p, read: new(int)}
}

func firesPage(t interface{ Fatalf(string, ...any) }, p planned, values url.Values) api.List[api.Fire] {
	h := described.handler(served(api.Options{Engine: p}, web.Options{}).Handler(onLoopback))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/fires?"+values.Encode(), nil))
	var page api.List[api.Fire]
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
		t.Fatalf("fires?%s = %d %s", values.Encode(), w.Code, w.Body)
	}
	return page
}

func TestPagesOfFiresAreAllFires(t *testing.T) {
	p := newPlanned(t, 12)
	begin := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		from := begin.Add(time.Duration(rapid.IntRange(0, 14*24*60).Draw(t, "from")) * time.Minute)
		to := from.Add(time.Duration(rapid.IntRange(0, 14*24*60).Draw(t, "length")) * time.Minute)
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		var want, got []api.Fire
		for _, f := range p.plan.Fires(from, to) {
			want = append(want, api.FireOf(f))
		}
		values := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "limit": {fmt.Sprint(limit)}}
		for {
			page := firesPage(t, p, values)
			got = append(got, page.Items...)
			if page.NextCursor == nil {
				break
			}
			if len(page.Items) != limit {
				t.Fatalf("a page with a next one has %d fires, want %d", len(page.Items), limit)
			}
			values.Set("cursor", *page.NextCursor)
			if rapid.Bool().Draw(t, "the range is left to the cursor") {
				values.Del("from")
				values.Del("to")
			}
		}
		if !slices.EqualFunc(got, want, func(a, b api.Fire) bool {
			same := a.At.Equal(b.At)
			a.At = b.At
			return same && a == b
		}) {
			t.Fatalf("from %s to %s by %d: %d fires in pages, want %d", from, to, limit, len(got), len(want))
		}
	})
}

func TestPageOfFiresIsBounded(t *testing.T) {
	p := newPlanned(t, 3000)
	page := firesPage(t, p, url.Values{"from": {"2026-01-01T00:00:00Z"}, "to": {"2027-02-01T00:00:00Z"}})
	if len(page.Items) != 1000 || page.NextCursor == nil || *p.read > 1001 {
		t.Errorf("%d fires, %d read, want 1000 of 1001", len(page.Items), *p.read)
	}
}

func TestFiresEndWithTheRequest(t *testing.T) {
	p := newPlanned(t, 3000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := described.handler(served(api.Options{Engine: p}, web.Options{}).Handler(onLoopback))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/fires", nil).WithContext(ctx))
	if w.Body.Len() != 0 || *p.read > 1 {
		t.Errorf("%d fires read for a request that has ended, answered %q", *p.read, w.Body)
	}
}

func TestFiresRefuse(t *testing.T) {
	tests := []struct{ name, query string }{
		{"a cursor that was never issued", "cursor=zzz"},
		{"a range of more than 400 days", "from=2026-01-01T00:00:00Z&to=2027-03-01T00:00:00Z"},
		{"a page of more than 1000", "limit=1001"},
		{"a page of none", "limit=0"},
		{"a parameter that nobody reads", "environment=dev-01"},
	}
	for _, tt := range tests {
		if res := ask(handler(onLoopback, "", nil), "GET", "localhost", "/api/v1/fires?"+tt.query, ""); res.StatusCode != 400 {
			t.Errorf("%s: %d, want 400", tt.name, res.StatusCode)
		}
	}
}
