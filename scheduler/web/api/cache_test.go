package api_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Lists, single answers and pages that did not change are not sent again.
func TestAnswersThatDidNotChangeAreNotSentAgain(t *testing.T) {
	h := handler(onLoopback, "", nil)
	for _, path := range []string{"/api/v1/runs", "/api/v1/runs/" + finished.ID, "/api/v1/environments", "/api/v1/environments/dev-01", "/api/v1/overrides", "/api/v1/accounts", "/api/v1/audit", "/api/v1/file", "/api/v1/openapi.json", "/", "/runs", "/environments/dev-01"} {
		first := ask(h, "GET", "localhost", path, "")
		tag := first.Header.Get("ETag")
		if first.StatusCode != http.StatusOK || !strings.HasPrefix(tag, `W/"`) || first.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s answers %d %v, want an ETag that is asked for each time", path, first.StatusCode, first.Header)
			continue
		}
		for sent, want := range map[string]int{tag: http.StatusNotModified, `W/"another"`: http.StatusOK} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
			r.Header.Set("If-None-Match", sent)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want || (w.Body.Len() == 0) != (want == http.StatusNotModified) {
				t.Errorf("%s with If-None-Match %s answers %d with %d bytes, want %d", path, sent, w.Code, w.Body.Len(), want)
			}
		}
	}
}

// A long answer is compressed for who takes it, with an ETag all the same.
func TestLongAnswersAreCompressed(t *testing.T) {
	h := handler(onLoopback, "", nil)
	for _, path := range []string{"/", "/api/v1/openapi.json", "/api/v1/runs"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
		r.Header.Set("Accept-Encoding", "br, gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("ETag") == "" {
			t.Errorf("%s is sent as %v, want it compressed", path, w.Header())
			continue
		}
		reader, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if plain := ask(h, "GET", "localhost", path, ""); plain.Header.Get("Content-Encoding") != "" || body(t, plain) != string(sent) {
			t.Errorf("%s says something else compressed", path)
		}
	}
}

// A page that is not there says so, and the next one of its kind is shown.
func TestAPageAfterOneThatIsNotThere(t *testing.T) {
	h := handler(onLoopback, "", nil)
	for _, tt := range []struct {
		path   string
		status int
		says   string
	}{
		{"/environments/nobody", http.StatusNotFound, "There is no environment nobody"},
		{"/environments/dev-01", http.StatusOK, "Why, step by step"},
		{"/runs?stat=failed", http.StatusBadRequest, "This address cannot be read"},
		{"/runs", http.StatusOK, "<title>Runs"},
	} {
		res := ask(h, "GET", "localhost", tt.path, "")
		if got := body(t, res); res.StatusCode != tt.status || !strings.Contains(got, tt.says) {
			t.Errorf("%s = %d %s, want %d and %q", tt.path, res.StatusCode, got, tt.status, tt.says)
		}
	}
}
