package notify

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/secret"
	"curfew/scheduler"
)

// A flow is a workflow of Teams, in memory.
type flow struct {
	status int
	answer string
	got    []string
	at     []time.Time
}

func (w *flow) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	w.got, w.at = append(w.got, r.URL.String()+" "+string(b)), append(w.at, time.Now())
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Body: io.NopCloser(strings.NewReader(w.answer)), Header: http.Header{"Location": {"https://elsewhere.example/?sig=s3cr3tsig"}}, Request: r}, err
}

const workflowURL = "https://prod-01.westus.logic.azure.com:443/workflows/abc123def456/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cr3tsig"

func toTeams(url string) secret.Source {
	return secret.Source{Env: "URL", Getenv: func(string) string { return url }}
}

func TestTeamsGetsACardAtItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flow{status: http.StatusAccepted}
		c := newChannels(f)
		for range 8 {
			if err := c.send(t.Context(), toTeams(workflowURL), Message{Title: "Stop of dev_01 failed", Parts: []Part{{Text: "*"}}, Buttons: []Button{{"Show", "https://curfew.example.com/"}}}); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(f.got[0], workflowURL) || !strings.Contains(f.got[0], `"application/vnd.microsoft.card.adaptive"`) || !strings.Contains(f.got[0], `dev\\_01`) {
			t.Errorf("sent %s", f.got[0])
		}
		for i := range 4 {
			if took := f.at[i+4].Sub(f.at[i]); took < time.Second {
				t.Errorf("five messages within %v, want 4 a second at most", took)
			}
		}
	})
}

func TestTeamsRefusalIsToldWithoutItsSecret(t *testing.T) {
	for _, tt := range []struct {
		status int
		answer string
		want   string
	}{
		{http.StatusUnauthorized, "the signature s3cr3tsig does not match", "Unauthorized"},
		{http.StatusTooManyRequests, "", "Too Many Requests"},
		{http.StatusFound, "", "redirect"},
		{http.StatusInternalServerError, "at " + workflowURL, "Internal Server Error"},
	} {
		c := newChannels(&flow{status: tt.status, answer: tt.answer})
		err := c.send(t.Context(), toTeams(workflowURL), Message{Title: "x", Parts: []Part{{Text: "y"}}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "abc123def456") {
			t.Errorf("%d: %v, want %q and nothing of the URL", tt.status, err, tt.want)
		}
	}
}

func TestURLIsReadAgainForEachMessage(t *testing.T) {
	f := &flow{status: http.StatusAccepted}
	c := newChannels(f)
	url := workflowURL
	source := secret.Source{Env: "URL", Getenv: func(string) string { return url }}
	for _, u := range []string{workflowURL, strings.Replace(workflowURL, "s3cr3tsig", "rotated", 1)} {
		url = u
		if err := c.send(t.Context(), source, Message{Title: "x", Parts: []Part{{Text: "y"}}}); err != nil {
			t.Fatal(err)
		}
		if last := f.got[len(f.got)-1]; !strings.HasPrefix(last, u) {
			t.Errorf("sent to %s, want %s", last, u)
		}
	}
}

func TestTopicsOfEvents(t *testing.T) {
	manual := ofStop(scheduler.EventFailed, "dev-01", "", "")
	manual.Schedule = ""
	for _, tt := range []struct {
		name string
		a, b scheduler.Event
		same bool
	}{
		{"schedules that fire at the same instant", ofStop(scheduler.EventFailed, "a", "", ""), ofStop(scheduler.EventSucceeded, "b", "", ""), true},
		{"another instant", ofStop(scheduler.EventFailed, "a", "", ""), later(ofStop(scheduler.EventFailed, "a", "", "")), false},
		{"by hand, whatever the instant", manual, later(manual), true},
		{"by hand and by schedule", manual, ofStop(scheduler.EventFailed, "a", "", ""), false},
		{"down and up again", apart(scheduler.EventUnreachable, "", ""), apart(scheduler.EventReachable, "", ""), true},
		{"warnings of two stops at an instant", ofStop(scheduler.EventStopping, "a", "", ""), ofStop(scheduler.EventStopping, "b", "", ""), true},
		{"a warning and the end of its run", ofStop(scheduler.EventStopping, "a", "", ""), ofStop(scheduler.EventFailed, "a", "", ""), false},
	} {
		if got := topicOf(tt.a).Topic == topicOf(tt.b).Topic; got != tt.same {
			t.Errorf("%s: topics %q and %q, want the same: %v", tt.name, topicOf(tt.a).Topic, topicOf(tt.b).Topic, tt.same)
		}
	}
}

func later(e scheduler.Event) scheduler.Event {
	e.FireAt = e.FireAt.Add(time.Hour)
	return e
}
