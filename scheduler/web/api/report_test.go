package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/web/pages"
)

// past is what happened to one environment, and who changed what.
type past struct{}

var dev = report.Environment{Environment: scheduler.Environment{Name: "dev-01", Tags: []string{"dev"}}, ProjectID: 7}

func (past) Timeline(_ context.Context, from, to time.Time, _ []string, each func(report.Row) error) error {
	return each(report.Row{
		Environment: dev, Runs: []string{"r1"},
		Wanted:   []plan.Stretch{{From: from, To: to, Wanted: plan.Running, Because: "window"}},
		Observed: []scheduler.Span{{From: from, Until: from.Add(time.Hour), Condition: lcs.Running}},
		Marks:    []plan.Mark{{At: from, Text: "Christmas Day"}},
	})
}

func (past) Savings(_ context.Context, _ time.Time, each func(report.Environment, report.Sums) error) error {
	return each(dev, report.Sums{HoursOff: 2, Saved: 3, LostFailed: 0.5, LostOverrides: 0.25})
}

func (past) Plans(context.Context) (file, coming *plan.Plan, err error) {
	p, err := plan.Compile(plan.Spec{Environments: []string{"dev-01"}})
	return p, p, err
}

func (past) Usual(context.Context, []string) (map[string]map[plan.Action]time.Duration, error) {
	return nil, nil
}

func (past) Months(context.Context, time.Time) ([]scheduler.MonthSums, error) {
	return []scheduler.MonthSums{{Month: "2026-11", Environment: "dev-01", Savings: report.Sums{HoursOff: 2}}}, nil
}

func (past) Place() (*time.Location, string) { return cet, "EUR" }

func (past) Explain(context.Context, string, time.Time) (plan.Decision, error) {
	return plan.Decision{Wanted: plan.Running, Because: "window", Steps: []string{"no override is active"}}, nil
}

func (past) Audit(_ context.Context, _ time.Time, before string, limit int) ([]scheduler.Event, error) {
	all := []scheduler.Event{
		{ID: "01a20a66-0000-7000-8000-000000000009", At: fireAt, By: scheduler.Actor{Name: "anna", Via: "session", From: "10.0.0.9"}, Override: "o1", Change: scheduler.Change{
			Action: scheduler.ChangeKeep, Environments: "dev-01\ndev-02", After: "keep running",
		}},
		{ID: "01a20a66-0000-7000-8000-000000000008", At: fireAt, By: scheduler.ByToken, Run: "r1", Change: scheduler.Change{Action: scheduler.ChangeStop, Environments: "dev-01", After: "queued"}},
	}
	all = slices.DeleteFunc(all, func(e scheduler.Event) bool { return before != "" && e.ID >= before })
	return all[:min(limit, len(all))], nil
}

func (past) LastFailed(context.Context, time.Time) ([]scheduler.Run, error) { return nil, nil }

// shownPages are the pages of a daemon with one environment.
func shownPages(down error) *pages.Pages {
	p, err := pages.New(pages.Options{Engine: fixed{down}, Reports: past{}, Version: "1.2.3", Now: func() time.Time { return fireAt }})
	if err != nil {
		panic(err) // the templates are part of the binary
	}
	return p
}

func TestAnswersOfPastAndComingTime(t *testing.T) {
	tests := []struct {
		name, path string
		status     int
		says       []string
	}{
		{"a timeline, in the zone of the file", "/api/v1/timeline?from=2026-11-23T18:00:00Z&to=2026-11-24T18:00:00Z", 200, []string{
			`"zone":"CET"`, `"wanted":[{"from":"2026-11-23T19:00:00+01:00"`, `"because":"window"`, `"observed":[{"from":"2026-11-23T19:00:00+01:00","to":"2026-11-23T20:00:00+01:00","state":"running"}]`,
			`"runs":["r1"]`, `"text":"Christmas Day"`,
		}},
		{"a timeline of too long a time", "/api/v1/timeline?from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z", 400, []string{"62 days later at most"}},
		{"savings", "/api/v1/savings", 200, []string{`"currency":"EUR"`, `"hours_off":2,"saved":3,"lost_failed":0.5,"lost_overrides":0.25`, `"name":"dev-01","tags":["dev"]`}},
		{"savings of the future", "/api/v1/savings?since=2126-01-01T00:00:00Z", 400, []string{"an instant of the last ten years"}},
		{"the audit", "/api/v1/audit", 200, []string{`"by":"anna","from":"10.0.0.9","action":"keep","environments":["dev-01","dev-02"],"run":null,"override":"o1","before":null,"after":"keep running"`, `"next_cursor":null`}},
		{"a page of the audit", "/api/v1/audit?limit=1", 200, []string{`"action":"keep"`, `"next_cursor":"01a20a66-0000-7000-8000-000000000009"`}},
		{"the next page", "/api/v1/audit?limit=1&cursor=01a20a66-0000-7000-8000-000000000009", 200, []string{`"action":"stop"`, `"next_cursor":null`}},
		{"a cursor that is none", "/api/v1/audit?cursor=x", 400, []string{"the next_cursor of the page before"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := ask(handler(onLoopback, "", nil), "GET", "127.0.0.1:8080", tt.path, "")
			got := body(t, res)
			if res.StatusCode != tt.status {
				t.Errorf("GET %s = %d %s, want %d", tt.path, res.StatusCode, got, tt.status)
			}
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("GET %s = %s, want it to say %s", tt.path, got, want)
				}
			}
		})
	}
}

func TestPageThatHasNotChangedIsNotSentAgain(t *testing.T) {
	h := handler(onLoopback, "", nil)
	first := ask(h, "GET", "127.0.0.1:8080", "/savings", "")
	etag := first.Header.Get("ETag")
	if first.StatusCode != 200 || etag == "" {
		t.Fatalf("GET /savings = %d with ETag %q", first.StatusCode, etag)
	}
	req := httptest.NewRequest("GET", "http://127.0.0.1:8080/savings", nil)
	req.Header.Set("If-None-Match", etag)
	again := httptest.NewRecorder()
	if h.ServeHTTP(again, req); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("asked again with its ETag it answers %d and %d bytes, want 304 and none", again.Code, again.Body.Len())
	}
	_, rest, _ := strings.Cut(body(t, first), `rel="stylesheet" href="`)
	css, _, _ := strings.Cut(rest, `"`)
	if res := ask(h, "GET", "127.0.0.1:8080", css, ""); res.StatusCode != 200 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("GET %s = %d, Cache-Control %q", css, res.StatusCode, res.Header.Get("Cache-Control"))
	}
}
