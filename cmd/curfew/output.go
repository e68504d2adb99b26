package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"curfew/scheduler/web"
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
	return fmt.Errorf("want %s", strings.Join(o.forms, " or "))
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

// printTable prints rows under a heading, in columns.
func printTable(w io.Writer, heading string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.ReplaceAll(heading, " ", "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = cmp.Or(cell(r[i]), "-")
		}
		_, _ = fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// cell keeps text from LCS on its line, and out of the terminal's controls.
func cell(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) }), " ")
}

const clock = "Mon 2006-01-02 15:04 MST"

func show(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Format(clock)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// parseInstant reads RFC 3339, or a day, which begins at midnight in zone. An
// instant without an offset is refused: it would mean something else elsewhere.
func parseInstant(flag, s string, zone *time.Location) (time.Time, error) {
	if d, err := planDate(s); err == nil {
		return d.In(zone), nil
	}
	t, err := web.ParseInstant(s)
	if err != nil {
		return t, usage("--%s: cannot read %q; want a day such as 2026-11-23, or RFC 3339 with an offset such as 2026-11-23T19:00:00+01:00", flag, s)
	}
	return t, nil
}
