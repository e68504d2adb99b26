package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/web/api"
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

// instantForms is what help says of flags that take an instant.
const instantForms = "a day or a local time, of the schedule file's zone, or RFC 3339 with an offset"

// parseInstant reads RFC 3339, or a day or a local time of a zone.
func parseInstant(flag, s string, zone *time.Location) (time.Time, error) {
	t, ok := config.ParseInstant(s, zone)
	if !ok {
		return t, usage("--%s: cannot read %q; want a day such as 2026-11-23, a local time such as 2026-11-23T19:00, or RFC 3339 with an offset such as 2026-11-23T19:00:00+01:00", flag, s)
	}
	return t, nil
}

// parseFileInstant is parseInstant for commands that need the schedule file for nothing
// else: they read it only for the zone of what has no offset.
func parseFileInstant(c *cobra.Command, flag, s string) (time.Time, error) {
	if t, err := api.ParseInstant(s); err == nil {
		return t, nil
	}
	if t, err := parseInstant(flag, s, time.UTC); err != nil {
		return t, err
	}
	path := c.Flag("config").Value.String()
	cfg, diags := config.Load(path, config.Options{})
	if cfg == nil {
		const want = "name the file that the daemon has with --config, or write RFC 3339 with an offset, such as 2026-11-23T19:00:00+01:00"
		return time.Time{}, usage("--%s: %s means the zone of the schedule file, which cannot be used: %s; %s", flag, s, diags.Errors()[0], want)
	}
	if cfg.Location == nil {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "--%s: %s has no timezone for the whole file; %s is taken for UTC\n", flag, path, s)
	}
	return parseInstant(flag, s, cfg.Zone())
}
