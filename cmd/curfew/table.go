package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// plainWidth is how wide a table is that no terminal shows.
const plainWidth = 80

// A screen is where tables are printed, and how.
type screen struct {
	w      io.Writer
	width  int
	colour bool
	zone   *time.Location // of all times, named once
	now    time.Time
}

// newScreen is as wide as the terminal, and uses colour on a terminal alone.
func newScreen(e env, zone *time.Location) *screen {
	s := &screen{w: e.stdout, width: plainWidth, zone: zone, now: time.Now()}
	if f, ok := e.stdout.(*os.File); ok && terminal(f) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			s.width = width
		}
		s.colour = e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
	}
	return s
}

// heading is what stands above a table.
func (s *screen) heading(text string) string {
	return s.paragraph(text + "; times in " + s.zone.String())
}

// paragraph is a text on lines as wide as the screen.
func (s *screen) paragraph(text string) string {
	var b strings.Builder
	wrap(&b, text, "", s.width)
	return b.String()
}

// when is an instant of the coming or last days, short.
func (s *screen) when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	const week = 6 * 24 * time.Hour
	at := t.In(s.zone)
	if d := at.Sub(s.now); d < week && d > -week {
		return at.Format("Mon 15:04")
	}
	return at.Format("2006-01-02 15:04")
}

// minute is an instant in full.
func (s *screen) minute(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.In(s.zone).Format("2006-01-02 15:04")
}

// rfc3339 finds the instants in a text of the daemon.
var rfc3339 = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// instants writes the instants in a text as minute does: the heading names the zone of all.
func (s *screen) instants(text string) string {
	return rfc3339.ReplaceAllStringFunc(text, func(found string) string {
		at, err := time.Parse(time.RFC3339, found)
		if err != nil {
			return found
		}
		return s.minute(&at)
	})
}

// A colour is the number of one that terminals know.
type colour int

const (
	noColour colour = 0
	red      colour = 31
	yellow   colour = 33
)

// A column of a table. Where the table is too wide, the columns with the highest spare
// are left out first; those without one are never, nor is any cell cut.
type column struct {
	name   string
	spare  int
	sparse bool // left out when every cell is empty
	paint  func(text string) colour
}

// A row has a cell for each column, and lines below it.
type row struct {
	cells   []string
	details []string
}

type table struct {
	columns []column
	rows    []row
}

func (t table) print(s *screen) error {
	var b strings.Builder
	for i := range t.rows {
		for j := range t.rows[i].cells {
			t.rows[i].cells[j] = cell(t.rows[i].cells[j])
		}
	}
	shown, widths := t.fit(s.width)
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	t.line(&b, names, shown, widths, false)
	for _, r := range t.rows {
		t.line(&b, r.cells, shown, widths, s.colour)
		for _, d := range r.details {
			wrap(&b, cell(d), "    ", s.width)
		}
	}
	_, err := io.WriteString(s.w, b.String())
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

const gap = 2

// fit returns the columns that are shown, and the widths of all.
func (t table) fit(width int) (shown, widths []int) {
	widths = make([]int, len(t.columns))
	total := -gap
	for i, c := range t.columns {
		empty := true
		widths[i] = utf8.RuneCountInString(c.name)
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r.cells[i]))
			empty = empty && r.cells[i] == ""
		}
		if !empty || !c.sparse {
			shown = append(shown, i)
			total += widths[i] + gap
		}
	}
	for total > width {
		most := slices.MaxFunc(shown, func(a, b int) int { return cmp.Compare(t.columns[a].spare, t.columns[b].spare) })
		if t.columns[most].spare == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == most })
		total -= widths[most] + gap
	}
	return shown, widths
}

func (t table) line(b *strings.Builder, cells []string, shown, widths []int, coloured bool) {
	for n, i := range shown {
		text := cmp.Or(cells[i], "-")
		code := noColour
		if paint := t.columns[i].paint; coloured && paint != nil {
			code = paint(cells[i])
		}
		if code == noColour {
			b.WriteString(text)
		} else {
			fmt.Fprintf(b, "\x1b[%dm%s\x1b[0m", code, text)
		}
		if n < len(shown)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]+gap-utf8.RuneCountInString(text)))
		}
	}
	b.WriteString("\n")
}

// wrap writes words on lines of a width; a word longer than that stays whole.
func wrap(b *strings.Builder, text, indent string, width int) {
	used := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case used == 0:
			b.WriteString(indent)
			used = len(indent)
		case used+1+n > width:
			b.WriteString("\n" + indent)
			used = len(indent)
		default:
			b.WriteString(" ")
			used++
		}
		b.WriteString(word)
		used += n
	}
	if used > 0 {
		b.WriteString("\n")
	}
}

// shortID is the end of a run's id, which commands take for all of it. Ids that were made
// together have the same begin.
func shortID(id string) string {
	const shown = 8
	return id[max(0, len(id)-shown):]
}

// totals counts rows by a word: "3 running, 1 stopped", the most frequent first.
func totals[T any](list []T, word func(T) string) string {
	counts := map[string]int{}
	var words []string
	for _, x := range list {
		w := word(x)
		if counts[w] == 0 {
			words = append(words, w)
		}
		counts[w]++
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", counts[w], w)
	}
	return strings.Join(words, ", ")
}

// print prints a table under a heading; without rows, the heading alone.
func (s *screen) print(heading string, t table) error {
	if _, err := io.WriteString(s.w, s.heading(heading)); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if len(t.rows) == 0 {
		return nil
	}
	return t.print(s)
}

// badWhen paints the words that somebody has to act on.
func badWhen(words ...string) func(string) colour {
	return func(text string) colour {
		if slices.Contains(words, text) {
			return red
		}
		return noColour
	}
}
