package api_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
)

// endless is a daemon whose timeline and fires have no end.
type endless struct {
	fixed
	past
	rows  int           // after which there are no more; 0 without end
	every time.Duration // between two rows
	ended chan error    // gets why the timeline ended
}

func (e endless) Timeline(ctx context.Context, from, to time.Time, names []string, each func(report.Row) error) error {
	var err error
	for i := 0; err == nil && (e.rows == 0 || i < e.rows); i++ {
		time.Sleep(e.every)
		err = e.past.Timeline(ctx, from, to, names, each)
	}
	e.ended <- err
	return err
}

func (e endless) Fires(from, _ time.Time) iter.Seq[plan.Fire] {
	return func(yield func(plan.Fire) bool) {
		for yield(plan.Fire{At: from, Environment: ""}) { // before the page: none of it is on it
			time.Sleep(e.every)
		}
	}
}

func (e endless) handler() http.Handler {
	return served(api.Options{Engine: e, Reports: e}, web.Options{}).Handler(onLoopback)
}

func TestTimelineEndsWithItsRequest(t *testing.T) {
	e := endless{ended: make(chan error, 1)}
	server := httptest.NewServer(e.handler())
	defer server.Close()
	res, err := http.Get(server.URL + "/api/v1/timeline")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil { // it comes before there is all of it
		t.Fatal(err)
	}
	_ = res.Body.Close()
	select {
	case err := <-e.ended:
		if err == nil {
			t.Error("the timeline came to its end")
		}
	case <-time.After(time.Minute):
		t.Error("the timeline goes on although nobody reads it")
	}
}

func TestTimelineOfManyRowsIsOneDocument(t *testing.T) {
	for _, rows := range []int{1, 1000} {
		e := endless{rows: rows, ended: make(chan error, 1)}
		w := httptest.NewRecorder()
		e.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/api/v1/timeline", nil))
		var got api.Timeline
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Environments) != rows || got.Zone != "CET" {
			t.Errorf("timeline of %d rows = %d rows in %q, %v", rows, len(got.Environments), got.Zone, err)
		}
	}
}

func TestAnswerThatTakesTooLongEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := endless{every: time.Second}.handler()
		began := time.Now()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/api/v1/fires", nil))
		if took := time.Since(began); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "takes too long") || took > 30*time.Second {
			t.Errorf("GET fires = %d after %v: %s; want 503 within 30 s", w.Code, took, w.Body)
		}
	})
}

func TestFewLongAnswersAreWorkedOutAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const asked = 8
		e := endless{rows: 10, every: time.Second, ended: make(chan error, asked)}
		h := e.handler()
		took := make(chan time.Duration, asked)
		began := time.Now()
		for range asked {
			go func() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/api/v1/timeline", nil))
				took <- time.Since(began)
			}()
		}
		later := 0
		for range asked {
			if d := <-took; d > 10*time.Second {
				later++
			}
		}
		if later != asked/2 {
			t.Errorf("%d of %d answers came after the first four, want %d", later, asked, asked/2)
		}
	})
}
