package config

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// maxSpellings bounds the comparisons made for one file: a file of nothing but
// unknown names must not take minutes to refuse.
const maxSpellings = 200_000

// meant is what ends a message about an unknown word: the word that was probably
// meant, or all that are allowed when they are few.
func (d *decoder) meant(word string, allowed []string) string {
	if best := d.nearest(word, allowed); best != "" {
		return "did you mean \"" + best + "\"?"
	}
	const few = 12
	switch {
	case len(allowed) == 0:
		return "none is defined"
	case len(allowed) > few:
		return "want one that is defined"
	}
	return "want " + oneOf(allowed)
}

// meantKey is meant for the keys of a section.
func (d *decoder) meantKey(word string, s section) string {
	for _, k := range s.keys {
		if k.also != "" && strings.EqualFold(k.also, word) {
			return "did you mean \"" + k.name + "\"?"
		}
	}
	return d.meant(word, s.names())
}

// nearest is the allowed word that differs least from word, or "" when none is near.
func (d *decoder) nearest(word string, allowed []string) string {
	if !d.maySpell(word, len(allowed)) {
		return ""
	}
	folded := strings.ToLower(word)
	best, least := "", len(folded)/3+1
	for _, candidate := range allowed {
		c := strings.ToLower(candidate)
		if abs(len(c)-len(folded)) >= least && best != "" {
			continue
		}
		if n := levenshtein.ComputeDistance(folded, c); n < least || n == least && best == "" && n < len(folded) {
			best, least = candidate, n
		}
	}
	return best
}

// maySpell reports whether a word may be compared with n others, and counts them.
func (d *decoder) maySpell(word string, n int) bool {
	const longest = 100
	if d.spellings < n || len(word) > longest {
		return false
	}
	d.spellings -= n
	return true
}

func abs(n int) int { return max(n, -n) }

// oneOf writes words as "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
