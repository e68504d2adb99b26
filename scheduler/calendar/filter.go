package calendar

import (
	"path"
	"slices"
	"strings"
)

// A Filter chooses events of an iCalendar file by globs, in any case, on SUMMARY,
// CATEGORIES and DESCRIPTION.
type Filter struct {
	Only   []string // an event has to match one of these, unless there are none
	Except []string // and none of these
}

// ValidPattern reports whether s is a glob.
func ValidPattern(s string) bool {
	_, err := path.Match(s, "")
	return err == nil
}

func (f Filter) takes(t *texts) bool {
	return (len(f.Only) == 0 || t.match(f.Only)) && !t.match(f.Except)
}

func (t *texts) match(patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = forGlob(pattern)
		return slices.ContainsFunc(t.all, func(text string) bool {
			ok, err := path.Match(pattern, text)
			return ok && err == nil
		})
	})
}

// forGlob makes s fit for path.Match, to which a slash is special.
func forGlob(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "/", "\x01")
}

// Days returns the days of the events that f takes, and how many of those events
// cover no whole day.
func (i *ICS) Days(f Filter) (days []Range, short int) {
	taken := map[*texts]bool{}
	takes := func(t *texts) bool {
		if _, ok := taken[t]; !ok {
			taken[t] = f.takes(t)
		}
		return taken[t]
	}
	for _, o := range i.occurrences {
		if takes(o.texts) {
			days = append(days, Range{First: o.first, Last: o.last, Name: o.texts.name})
		}
	}
	for _, t := range i.short {
		if takes(t) {
			short++
		}
	}
	return days, short
}
