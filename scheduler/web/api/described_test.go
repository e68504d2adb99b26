package api_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
)

// A description holds what is answered against openapi.json.
type description struct {
	valid validator.Validator

	mu    sync.Mutex // guards what follows, which tests running side by side write
	seen  map[string]bool
	wrong []string
}

var described = newDescription()

func newDescription() *description {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		panic(err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		panic(err)
	}
	// Strict: a field or a status that the description does not have is wrong too.
	v, errs := validator.NewValidator(doc, config.WithStrictMode(), config.WithFormatAssertions(), config.WithoutSecurityValidation(), config.WithStrictIgnorePaths("$.body.openapi", "$.body.info", "$.body.security", "$.body.paths", "$.body.components"))
	if len(errs) > 0 {
		panic(errs)
	}
	return &description{valid: v, seen: map[string]bool{}}
}

// handler answers as h does, and checks what it answers.
func (d *description) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/v1/") {
			h.ServeHTTP(w, r)
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if answer.Header().Get("Content-Encoding") == "" { // a compressed one is compared with the plain one
			d.check(r, sent, answer)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (d *description) check(r *http.Request, sent []byte, answer *httptest.ResponseRecorder) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Context().Err() != nil || answer.Code == http.StatusMethodNotAllowed || strings.Contains(answer.Body.String(), `"no such address"`) {
		return // nobody reads it, or it is not of an operation
	}
	ask := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(sent))
	ask.Header = r.Header.Clone()
	ask.Header.Del("Authorization")
	if len(sent) == 0 {
		ask.Header.Del("Content-Type")
	}
	if answer.Code < http.StatusBadRequest {
		ok, errs := d.valid.ValidateHttpRequest(ask)
		if !ok {
			d.wrong = append(d.wrong, fmt.Sprintf("%s %s was carried out, and is not described: %v", r.Method, r.URL, errs))
		}
	}
	ok, errs := d.valid.ValidateHttpResponse(ask, answer.Result())
	if !ok {
		d.wrong = append(d.wrong, fmt.Sprintf("%s %s answered %d %s, which is not as described: %v", r.Method, r.URL, answer.Code, answer.Body, errs))
	}
	d.seen[fmt.Sprint(answer.Code)] = true
}

// TestMain holds every answer of these tests against the description.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	described.mu.Lock()
	defer described.mu.Unlock()
	for _, text := range described.wrong {
		fmt.Fprintln(os.Stderr, text)
		code = 1
	}
	for _, status := range []string{"200", "201", "202", "304", "400", "401", "403", "404", "409", "421", "422", "500"} {
		if all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""; all && !described.seen[status] {
			fmt.Fprintf(os.Stderr, "no test saw the status %s; seen are %v\n", status, slices.Sorted(maps.Keys(described.seen)))
			code = 1
		}
	}
	os.Exit(code) //nolint:forbidigo // a violation that is found after the tests must fail them
}
