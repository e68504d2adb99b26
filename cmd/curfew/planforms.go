package main

import (
	"bufio"
	"encoding/json"
	"strings"
	"time"

	"curfew/scheduler/report"
)

// A memo keeps texts in the form in which they are printed: a plan has few different
// ones.
type memo struct {
	known map[string]string
	form  func(string) string
}

func newMemo(form func(string) string) *memo { return &memo{map[string]string{}, form} }

func (m *memo) of(s string) string {
	if text, ok := m.known[s]; ok {
		return text
	}
	const most = 1 << 16
	if len(m.known) > most {
		clear(m.known)
	}
	text := m.form(s)
	m.known[s] = text
	return text
}

// quoted is a text as JSON has it.
func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string never fails
	return strings.TrimSuffix(b.String(), "\n")
}

// writeJSON prints what printJSON prints of a slice of api.Fire, element by element.
func (l listing) writeJSON(w *bufio.Writer) error {
	texts := newMemo(quoted)
	var at time.Time
	var text string
	before := "[\n  {"
	for f := range l.fires() {
		if f.At != at {
			at, text = f.At, f.At.Format(time.RFC3339Nano)
		}
		err := writeAll(w, before, "\n    \"at\": \"", text, "\",\n    \"action\": ", texts.of(string(f.Action)),
			",\n    \"environment\": ", texts.of(f.Environment), ",\n    \"schedule\": ", texts.of(f.Schedule), ",\n    \"reason\": ", texts.of(f.Reason), "\n  }")
		if err != nil {
			return err
		}
		before = ",\n  {"
	}
	end := "\n]\n"
	if at.IsZero() {
		end = "[]\n"
	}
	_, err := w.WriteString(end)
	return err
}

// writeAll writes texts one after the other. A bufio.Writer keeps its first error.
func writeAll(w *bufio.Writer, texts ...string) error {
	var err error
	for _, s := range texts {
		_, err = w.WriteString(s)
	}
	return err
}

// writeCalendar prints fires as iCalendar events of no length.
func (l listing) writeCalendar(w *bufio.Writer, now time.Time) error {
	cal := report.NewCalendar(w, "", now)
	for f := range l.fires() {
		if err := cal.Fire(f); err != nil {
			return err
		}
	}
	return cal.End()
}
