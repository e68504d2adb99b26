package answer_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"curfew/scheduler/web/answer"
)

func TestAnAnswerThatTheClientHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	ask := func(method string, status int, tags ...string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		for _, tag := range tags {
			r.Header.Add("If-None-Match", tag)
		}
		answer.Write(w, r, status, "text/plain", []byte("hello"))
		return w
	}
	tag := ask("GET", http.StatusOK).Header().Get("ETag")
	tests := []struct {
		name   string
		method string
		status int
		tags   []string
		want   int
	}{
		{"the same tag", "GET", http.StatusOK, []string{tag}, http.StatusNotModified},
		{"without the mark of weakness", "GET", http.StatusOK, []string{tag[2:]}, http.StatusNotModified},
		{"one of a list", "GET", http.StatusOK, []string{`"a", ` + tag}, http.StatusNotModified},
		{"one of two headers", "GET", http.StatusOK, []string{`"a"`, tag}, http.StatusNotModified},
		{"whatever it is", "GET", http.StatusOK, []string{"*"}, http.StatusNotModified},
		{"only the head", "HEAD", http.StatusOK, []string{tag}, http.StatusNotModified},
		{"another tag", "GET", http.StatusOK, []string{`W/"a"`}, http.StatusOK},
		{"a part of the tag", "GET", http.StatusOK, []string{tag[:len(tag)-2] + `"`}, http.StatusOK},
		{"a change", "POST", http.StatusOK, []string{tag}, http.StatusOK},
		{"a problem", "GET", http.StatusNotFound, []string{"*"}, http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := ask(tt.method, tt.status, tt.tags...)
			body := "hello"
			if tt.want == http.StatusNotModified {
				body = ""
			}
			if w.Code != tt.want || w.Body.String() != body {
				t.Errorf("it answers %d %q, want %d %q", w.Code, w.Body, tt.want, body)
			}
			if wantTag := tt.method != "POST" && tt.status == http.StatusOK; (w.Header().Get("ETag") == tag) != wantTag {
				t.Errorf("the ETag is %q", w.Header().Get("ETag"))
			}
		})
	}
}
