package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"curfew/internal/wording"
)

// An output is the value of -o.
type output struct {
	value string
	forms []string
}

func newOutput(forms ...string) *output { return &output{value: forms[0], forms: forms} }

func (o *output) String() string { return o.value }
func (o *output) Type() string   { return strings.Join(o.forms, "|") }

// Set refuses a form that the command does not have.
func (o *output) Set(s string) error {
	if slices.Contains(o.forms, s) {
		o.value = s
		return nil
	}
	return fmt.Errorf("want %s", wording.Or(o.forms))
}

// printJSON prints rows as one array, or another value as it is.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printTable prints rows under a heading, in columns of which none is left out.
func printTable(w io.Writer, heading string, cells [][]string) error {
	t := table{}
	for name := range strings.FieldsSeq(heading) {
		t.columns = append(t.columns, column{name: name})
	}
	for _, c := range cells {
		t.rows = append(t.rows, row{cells: c})
	}
	return t.print(&screen{w: w, width: plainWidth})
}

// cell keeps text from LCS on its line, and out of the terminal's controls.
func cell(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) { // most often
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) }), " ")
}

const clock = "Mon 2006-01-02 15:04 MST"

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
