package web_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/pages"
)

// links are those of one warning: the token says what comes of following one.
type links struct{ followed []string }

var linkErrors = map[string]error{
	"unknown": scheduler.ErrNoLink, "used": scheduler.ErrLinkUsed, "late": scheduler.ErrLinkVoid, "down": fmt.Errorf("the database is down"),
	"refused": &scheduler.InvalidError{Message: "dev-01 has nothing after this stop"},
}

var stopAt = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

func (l *links) Link(_ context.Context, token string) (scheduler.LinkUse, error) {
	return scheduler.LinkUse{Choice: scheduler.LinkKeep2, Stops: []scheduler.PlannedStop{{Environment: "dev-<01>", At: stopAt}}}, linkErrors[token]
}

func (l *links) Follow(_ context.Context, token, from string) ([]scheduler.Override, error) {
	if err := linkErrors[token]; err != nil {
		return nil, err
	}
	l.followed = append(l.followed, token+" from "+from)
	return []scheduler.Override{{ID: "o1", Environments: []string{"dev-01"}, Keep: plan.Running, Until: stopAt.Add(2 * time.Hour)}}, nil
}

// nowhere has a zone and nothing else.
type nowhere struct{ pages.Reports }

func (nowhere) Place() (*time.Location, string) { return time.UTC, "" }

// server has pages of links, on an address that is open to nobody without a token.
func server(t *testing.T, l pages.Links, public string) http.Handler {
	t.Helper()
	shown, err := pages.New(pages.Options{Reports: nowhere{}, Links: l, Now: func() time.Time { return stopAt.Add(-30 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	o := web.Options{API: api.New(api.Options{}), Gatherer: prometheus.NewRegistry(), Pages: shown.Routes(), Open: shown.Open(), PublicURL: public}
	return web.New(o).Handler(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8080})
}

func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://curfew.example.com"+path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLinkAsksBeforeItDoesAnything(t *testing.T) {
	l := &links{}
	h := server(t, l, "")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // as a scanner of mail does
		w := ask(h, method, "/link/good", "Sec-Fetch-Site", "cross-site")
		if w.Code != http.StatusOK || len(l.followed) > 0 {
			t.Fatalf("%s = %d, followed %q; want a page and nothing done", method, w.Code, l.followed)
		}
		if method == http.MethodHead {
			continue
		}
		for _, want := range []string{"Keep running 2 hours longer", "dev-&lt;01&gt;", `<form method="post" action="/link/good">`, "19:00"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("the page lacks %q:\n%s", want, w.Body)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("headers = %v", w.Header())
		}
	}
	w := ask(h, http.MethodPost, "/link/good", "Sec-Fetch-Site", "same-origin")
	if w.Code != http.StatusOK || len(l.followed) != 1 || !strings.HasPrefix(l.followed[0], "good from 192.0.2.1") {
		t.Errorf("POST = %d, followed %q; want it done once, without signing in, from the address of who asks", w.Code, l.followed)
	}
	if !strings.Contains(w.Body.String(), "curfew release o1") {
		t.Errorf("the page does not say how to take it back:\n%s", w.Body)
	}
	if w := ask(h, http.MethodGet, "/runs"); w.Code == http.StatusOK {
		t.Error("a page that is no link is open to everybody")
	}
}

func TestLinkThatDoesNothingSaysWhy(t *testing.T) {
	for _, tt := range []struct {
		token  string
		status int
		says   string
	}{
		{"unknown", http.StatusNotFound, "There is no such link"},
		{"used", http.StatusConflict, "used already"},
		{"late", http.StatusGone, "Its stop is over, was moved"},
		{"refused", http.StatusConflict, "dev-01 has nothing after this stop"},
		{"down", http.StatusInternalServerError, "log says why"},
	} {
		h := server(t, &links{}, "")
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			w := ask(h, method, "/link/"+tt.token)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "database") {
				t.Errorf("%s %s = %d, want %d with %q:\n%s", method, tt.token, w.Code, tt.status, tt.says, w.Body)
			}
		}
	}
}

func TestLinkIsNotFollowedForAnotherSite(t *testing.T) {
	for _, tt := range []struct {
		name, public string
		headers      []string
		want         int
	}{
		{"no browser", "", nil, http.StatusOK},
		{"its own page", "", []string{"Origin", "http://curfew.example.com", "Sec-Fetch-Site", "same-origin"}, http.StatusOK},
		{"typed in", "", []string{"Sec-Fetch-Site", "none"}, http.StatusOK},
		{"another site", "", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"another host of the site", "", []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"another origin", "", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"another origin that claims to be the same", "", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "same-origin"}, http.StatusForbidden},
		{"an origin that hides", "", []string{"Origin", "null"}, http.StatusForbidden},
		{"a proxy that keeps its host to itself", "https://people.example.com", []string{"Origin", "https://people.example.com"}, http.StatusOK},
	} {
		l := &links{}
		if w := ask(server(t, l, tt.public), http.MethodPost, "/link/good", tt.headers...); w.Code != tt.want || len(l.followed) > 0 != (tt.want == http.StatusOK) {
			t.Errorf("%s: POST = %d, followed %q; want %d", tt.name, w.Code, l.followed, tt.want)
		}
	}
}

func TestWithoutLinksThereAreNoPages(t *testing.T) {
	if w := ask(server(t, nil, ""), http.MethodGet, "/link/good"); w.Code != http.StatusNotFound && w.Code != http.StatusForbidden {
		t.Errorf("GET = %d, want no page", w.Code)
	}
}
