// Package wording writes counts and lists as a person reads them.
package wording

import (
	"fmt"
	"strings"
	"time"
)

// maxNames is how many names a line takes in full.
const maxNames = 6

// Count is a number of things: "1 fire", "2 fires".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Or writes words as "a, b or c".
func Or[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// evening is the hour from which on a stop is one of tonight.
const evening = 15

// SkipStop is what leaving out a stop is called, by its time in the zone that people use.
func SkipStop(at time.Time) string {
	if at.Hour() >= evening {
		return "Skip tonight"
	}
	return "Skip this stop"
}

// Environments is names in one line: all when they are few, else the first and how many.
func Environments(names []string) string {
	if len(names) <= maxNames {
		return strings.Join(names, ", ")
	}
	const shown = 3
	return fmt.Sprintf("%s and %d more environments", strings.Join(names[:shown], ", "), len(names)-shown)
}
