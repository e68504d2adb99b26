package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const casesDir = "testdata/cases"

// caseLimit is how long a command of a case may take.
const caseLimit = 20 * time.Second

// A trouble is one case of testdata/cases/cases.json: what somebody met in a program
// of this kind.
type trouble struct {
	ID, Kind string
	Files    []string
	Config   string
	Command  []string
	Env      map[string]string
	// Expand says for how many letters a mark in a file stands. They are folded as in
	// iCalendar, except where the mark ends in 1LINE@@.
	Expand map[string]map[string]int
	// Server says that an HTTP server is there that accepts the bearer token good-a
	// alone. Its port stands for @PORT@.
	Server bool
	Want   wanted
	Why    string
	Source string
}

// TestCases runs what other programs of this kind got wrong, by public reports.
func TestCases(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(casesDir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var cases []trouble
	if err := d.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range cases {
		if known[c.ID] {
			t.Errorf("two cases are called %s", c.ID)
		}
		known[c.ID] = true
		t.Run(c.Kind+"/"+c.ID, func(t *testing.T) {
			t.Parallel()
			if wrong := c.run(t); wrong != nil {
				t.Errorf("%s\n%v", c.Why, wrong)
			}
		})
	}
}

// run runs the command of a case, and returns what is wrong with its answer.
func (c trouble) run(t *testing.T) error {
	t.Helper()
	dir, port := t.TempDir(), "1"
	var server caseServer
	if c.Server {
		s := httptest.NewServer(&server)
		defer s.Close()
		port = s.URL[strings.LastIndex(s.URL, ":")+1:]
	}
	put := func(text string) string { return strings.ReplaceAll(text, "@PORT@", port) }
	c.layOut(t, dir, put)
	vars := map[string]string{"T": "x", "HOME": dir, "PATH": os.Getenv("PATH")}
	for k, v := range c.Env {
		vars[k] = put(v)
	}
	args := []string{"--config", filepath.Join(dir, c.Config)}
	for _, arg := range c.Command {
		args = append(args, put(arg))
	}
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), caseLimit)
	defer cancel()
	code := run(ctx, env{strings.NewReader(""), &stdout, &stderr, func(name string) string { return vars[name] }}, args)
	if ctx.Err() != nil {
		return fmt.Errorf("the command did not end within %v", caseLimit)
	}
	local := func(b bytes.Buffer) string { return strings.ReplaceAll(b.String(), dir+string(filepath.Separator), "") }
	a, err := newAnswer(c, code, local(stdout), local(stderr))
	if err != nil {
		return err
	}
	a.sent = server.headers()
	return a.check(c.Want)
}

// layOut writes the files of a case.
func (c trouble) layOut(t *testing.T, dir string, put func(string) string) {
	t.Helper()
	for _, name := range append([]string{c.Config}, c.Files...) {
		text := read(t, filepath.Join(casesDir, name))
		for mark, n := range c.Expand[name] {
			text = strings.ReplaceAll(text, mark, letters(n, mark))
		}
		if name == c.Config {
			text = put(text)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// letters returns n letters of base64.
func letters(n int, mark string) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(i % 251)
	}
	text := base64.StdEncoding.EncodeToString(raw)[:n]
	if strings.HasSuffix(mark, "1LINE@@") {
		return text
	}
	var lines []string
	for line := range slices.Chunk([]byte(text), 70) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\r\n ")
}

// A caseServer keeps each Authorization header that reached it.
type caseServer struct {
	mu   sync.Mutex // guards sent, which requests write
	sent []string
}

func (s *caseServer) headers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

func (s *caseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := r.Header.Get("Authorization")
	s.mu.Lock()
	if !slices.Contains(s.sent, got) {
		s.sent = append(s.sent, got)
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	body := `{"items": [], "next_cursor": null}`
	switch {
	case got != "Bearer good-a":
		w.WriteHeader(http.StatusUnauthorized)
		body = `{"title": "unauthorized", "status": 401}`
	case strings.Contains(r.URL.Path, "/environmentinfo/"):
		body = `{"ResultPageCurrent": 1, "ResultHasMorePages": false, "Data": [], "IsSuccess": true, "ErrorMessage": null,
			"OperationActivityId": "6f1d2c3b-4a59-4e68-8777-86950a4b3c2d", "VersionEOL": "9999-12-31T23:59:59.9999999"}`
	}
	_, _ = w.Write([]byte(body))
}

// A wanted is what is right. All that is set has to hold.
type wanted struct {
	Exit oneOf[int] // the exit code

	Starts, Stops  []string // all fires of plan -o json
	AbsentDays     []string `json:"absent_days"`     // all days from --from to --to on which no start is
	AbsentWorkdays []string `json:"absent_workdays"` // the same, of Monday to Friday
	Absent         []string // days on which no start is
	Present        []string // days on which a start is

	File         oneOf[string] // of one and the same error
	Line, Column oneOf[int]

	Contains    []string // in what is said, as all texts whatever their case
	ContainsAny []string `json:"contains_any"`
	NotContains []string `json:"not_contains"`
	Matches     string
	NotMatches  string `json:"not_matches"`

	WarningContains []string   `json:"warning_contains"` // of one and the same warning
	WarningLine     oneOf[int] `json:"warning_line"`
	NoWarningLines  []int      `json:"no_warning_lines"` // lines of the config

	Sent  []string // every Authorization header that reached the server
	AnyOf []wanted `json:"any_of"`
}

// A oneOf is one value, or a list of those that are allowed; none allows all.
type oneOf[T comparable] []T

func (o *oneOf[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]T)(o))
	}
	var one T
	err := json.Unmarshal(b, &one)
	*o = oneOf[T]{one}
	return err
}

func (o oneOf[T]) allows(v T) bool { return len(o) == 0 || slices.Contains(o, v) }

// A problem is one error or warning that a command reported.
type problem struct {
	File         string
	Line, Column int
	Severity     string
	Message      string
}

// An answer is what a command did. Its text is the messages without their places, and
// all other lines; the config's name is left out, so that it cannot pass for a hint.
type answer struct {
	command    []string
	code       int
	starts     []string // of plan -o json; nil: there was no plan
	stops      []string
	problems   []problem
	text       string
	sent       []string
	structured bool // stdout is JSON
}

var placedLine = regexp.MustCompile(`(?m)^([^\s:][^:\n]*):(\d+):(\d+): (warning: )?(.*)$`)

func newAnswer(c trouble, code int, stdout, stderr string) (*answer, error) {
	a := &answer{command: c.Command, code: code, structured: json.Valid([]byte(stdout))}
	said := stdout + "\n" + stderr
	if a.structured {
		said = stderr
	}
	for _, m := range placedLine.FindAllStringSubmatch(said, -1) {
		p := problem{File: m[1], Severity: "error", Message: m[5]}
		p.Line, _ = strconv.Atoi(m[2])
		p.Column, _ = strconv.Atoi(m[3])
		if m[4] != "" {
			p.Severity = "warning"
		}
		a.problems = append(a.problems, p)
	}
	if a.structured {
		if err := a.decode([]byte(stdout)); err != nil {
			return nil, err
		}
	}
	var lines []string
	for _, p := range a.problems {
		lines = append(lines, p.Message)
	}
	lines = append(lines, placedLine.ReplaceAllString(said, ""))
	a.text = strings.ReplaceAll(strings.Join(lines, "\n"), c.Config, "FILE")
	return a, nil
}

// decode reads the array that validate or plan printed.
func (a *answer) decode(b []byte) error {
	switch a.command[0] {
	case "validate":
		var list []problem
		if err := json.Unmarshal(b, &list); err != nil {
			return fmt.Errorf("validate printed no array of problems: %w", err)
		}
		a.problems = append(a.problems, list...)
	case "plan":
		var fires []struct{ At, Action string }
		if err := json.Unmarshal(b, &fires); err != nil {
			return fmt.Errorf("plan printed no array of fires: %w", err)
		}
		a.starts, a.stops = []string{}, []string{}
		for _, f := range fires {
			of := &a.starts
			if f.Action == "stop" {
				of = &a.stops
			}
			*of = append(*of, utcOffset(f.At))
		}
	}
	return nil
}

// offset writes an instant with its offset in figures.
func utcOffset(at string) string { return strings.Replace(at, "Z", "+00:00", 1) }

// told is what a person reads, in short.
func (a *answer) told() string {
	var lines []string
	for _, p := range a.problems {
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Severity, p.Message))
	}
	if len(lines) == 0 {
		lines = append(lines, strings.TrimSpace(a.text))
	}
	return fmt.Sprintf("exit %d: %.600s", a.code, strings.Join(lines, "\n"))
}

func (a *answer) check(w wanted) error {
	if !w.Exit.allows(a.code) {
		return fmt.Errorf("exited %d, want %v; %s", a.code, w.Exit, a.told())
	}
	if w.Sent != nil && !slices.Equal(w.Sent, a.sent) {
		return fmt.Errorf("sent the headers %q, want %q", a.sent, w.Sent)
	}
	return errors.Join(a.checkFires(w), a.checkText(w), a.checkErrors(w), a.checkWarnings(w), a.checkAny(w.AnyOf))
}

func (a *answer) checkAny(choices []wanted) error {
	var wrong []error
	for _, w := range choices {
		err := a.check(w)
		if err == nil {
			return nil
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

func (a *answer) checkFires(w wanted) error {
	if w.Starts == nil && w.Stops == nil && w.AbsentDays == nil && w.AbsentWorkdays == nil && w.Absent == nil && w.Present == nil {
		return nil
	}
	if a.starts == nil {
		return fmt.Errorf("no plan; %s", a.told())
	}
	off, workdays, err := a.daysOff()
	if err != nil {
		return err
	}
	for _, list := range []struct {
		what      string
		got, want []string
	}{
		{"starts", a.starts, w.Starts},
		{"stops", a.stops, w.Stops},
		{"days without a start", off, w.AbsentDays},
		{"working days without a start", workdays, w.AbsentWorkdays},
	} {
		if list.want != nil && !slices.EqualFunc(list.got, list.want, func(got, want string) bool { return got == utcOffset(want) }) {
			return fmt.Errorf("%s are %v, want %v", list.what, list.got, list.want)
		}
	}
	for _, day := range w.Absent {
		if a.startsOn(day) {
			return fmt.Errorf("a start on %s, want none", day)
		}
	}
	for _, day := range w.Present {
		if !a.startsOn(day) {
			return fmt.Errorf("no start on %s, want one", day)
		}
	}
	return nil
}

func (a *answer) startsOn(day string) bool {
	return slices.ContainsFunc(a.starts, func(at string) bool { return strings.HasPrefix(at, day) })
}

// daysOff lists the days from --from to --to on which no start is.
func (a *answer) daysOff() (off, workdays []string, err error) {
	day := func(flag string) time.Time {
		i := slices.Index(a.command, flag)
		at, failed := time.Parse(time.DateOnly, a.command[i+1][:len(time.DateOnly)])
		err = errors.Join(err, failed)
		return at
	}
	for d, end := day("--from"), day("--to"); d.Before(end); d = d.AddDate(0, 0, 1) {
		name := d.Format(time.DateOnly)
		if a.startsOn(name) {
			continue
		}
		off = append(off, name)
		if d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			workdays = append(workdays, name)
		}
	}
	return off, workdays, err
}

func (a *answer) checkText(w wanted) error {
	low := strings.ToLower(a.text)
	in := func(text string) bool { return strings.Contains(low, strings.ToLower(text)) }
	for _, text := range w.Contains {
		if !in(text) {
			return fmt.Errorf("nothing has %q; %s", text, a.told())
		}
	}
	if len(w.ContainsAny) > 0 && !slices.ContainsFunc(w.ContainsAny, in) {
		return fmt.Errorf("nothing has one of %q; %s", w.ContainsAny, a.told())
	}
	for _, text := range w.NotContains {
		if in(text) {
			return fmt.Errorf("%q is said; %s", text, a.told())
		}
	}
	if w.Matches != "" && !regexp.MustCompile("(?im)"+w.Matches).MatchString(a.text) {
		return fmt.Errorf("nothing matches %s; %s", w.Matches, a.told())
	}
	if w.NotMatches != "" && regexp.MustCompile("(?im)"+w.NotMatches).MatchString(a.text) {
		return fmt.Errorf("%s matches; %s", w.NotMatches, a.told())
	}
	return nil
}

func (a *answer) checkErrors(w wanted) error {
	if w.File == nil && w.Line == nil && w.Column == nil {
		return nil
	}
	for _, p := range a.problems {
		if p.Severity == "error" && w.File.allows(p.File) && w.Line.allows(p.Line) && w.Column.allows(p.Column) {
			return nil
		}
	}
	return fmt.Errorf("no error at %v:%v:%v; %s", w.File, w.Line, w.Column, a.told())
}

func (a *answer) checkWarnings(w wanted) error {
	found := w.WarningContains == nil && w.WarningLine == nil
	for _, p := range a.problems {
		if p.Severity != "warning" {
			continue
		}
		if slices.Contains(w.NoWarningLines, p.Line) {
			return fmt.Errorf("a warning on line %d, want none; %s", p.Line, a.told())
		}
		lacks := func(text string) bool { return !strings.Contains(strings.ToLower(p.Message), strings.ToLower(text)) }
		found = found || w.WarningLine.allows(p.Line) && !slices.ContainsFunc(w.WarningContains, lacks)
	}
	if !found {
		return fmt.Errorf("no warning on line %v with %q; %s", w.WarningLine, w.WarningContains, a.told())
	}
	return nil
}
