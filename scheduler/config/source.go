package config

import (
	"fmt"
	"strings"
	"unicode"
)

// A place of the file. Lines and columns count from 1, columns in characters.
type place struct{ line, column int }

// A source is the text of a schedule file by lines.
type source struct{ lines []string }

func newSource(src []byte) source {
	text := strings.ReplaceAll(string(src), "\r\n", "\n")
	return source{strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
}

// line is the line with that number, or "".
func (s source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return s.lines[n-1]
}

// at is the character at a place, or 0.
func (s source) at(p place) rune {
	if line := []rune(s.line(p.line)); p.column >= 1 && p.column <= len(line) {
		return line[p.column-1]
	}
	return 0
}

// before is the text of the line of a place up to it, which it leaves out.
func (s source) before(p place) string {
	line := []rune(s.line(p.line))
	return string(line[:max(0, min(p.column-1, len(line)))])
}

// previous is the number of the last line before n that is neither blank nor a
// comment, or 0.
func (s source) previous(n int) int {
	for n--; n > 0; n-- {
		if text := strings.TrimSpace(s.line(n)); text != "" && text[0] != '#' {
			break
		}
	}
	return max(0, n)
}

// indent is the number of blanks and tabs that a line begins with.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// isOddSpace reports whether r looks like a space or like nothing, and is neither a
// space nor a tab: what comes along when text is pasted from a web page.
func isOddSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r':
		return false
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u0085', '\u2028', '\u2029':
		return true
	}
	return unicode.Is(unicode.Zs, r)
}

// nameOfSpace names a character for which isOddSpace reports true.
func nameOfSpace(r rune) string {
	names := map[rune]string{
		'\u00a0': "a no-break space", '\u202f': "a narrow no-break space", '\u00ad': "a soft hyphen",
		'\u200b': "a zero-width space", '\ufeff': "a byte order mark", '\u3000': "an ideographic space",
	}
	if name := names[r]; name != "" {
		return fmt.Sprintf("%s (U+%04X)", name, r)
	}
	return fmt.Sprintf("the white space U+%04X", r)
}

// A bracket is one that is open.
type bracket struct {
	place
	opener, closer rune
	comment        place // of a comment within the bracket that hides a closer, if there is one
}

// openBrackets returns the brackets that are open at a place, the innermost last. It
// knows quotes and comments, and takes block texts for what they look like.
func (s source) openBrackets(to place) []bracket {
	r := bracketReader{}
	for n := 1; n <= min(to.line, len(s.lines)); n++ {
		line := s.line(n)
		if n == to.line {
			line = s.before(to)
		}
		r.read(n, []rune(line))
	}
	return r.open
}

type bracketReader struct {
	open  []bracket
	quote rune
}

func (r *bracketReader) read(n int, line []rune) {
	begins := true // a value may begin here
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case r.quote != 0:
			i += r.quoted(line, i)
			continue
		case isBlank(c):
			continue
		case c == '#' && (i == 0 || isBlank(line[i-1])):
			r.comment(place{n, i + 1}, string(line[i:]))
			return
		case begins && (c == '"' || c == '\''):
			r.quote = c
		case (c == '[' || c == '{') && (begins || len(r.open) > 0):
			r.open = append(r.open, bracket{place: place{n, i + 1}, opener: c, closer: c + 2})
		case (c == ']' || c == '}') && len(r.open) > 0:
			r.open = r.open[:len(r.open)-1]
		}
		last := i+1 == len(line) || isBlank(line[i+1])
		begins = len(r.open) > 0 && strings.ContainsRune(",[{", c) || last && strings.ContainsRune(":-?", c)
	}
}

// quoted reads a character within quotes. It returns how many more it has read.
func (r *bracketReader) quoted(line []rune, i int) int {
	twice := i+1 < len(line) && line[i+1] == '\''
	switch {
	case r.quote == '"' && line[i] == '\\', r.quote == '\'' && line[i] == '\'' && twice:
		return 1
	case line[i] == r.quote:
		r.quote = 0
	}
	return 0
}

func (r *bracketReader) comment(at place, text string) {
	for i := range r.open {
		if strings.ContainsRune(text, r.open[i].closer) {
			r.open[i].comment = at
		}
	}
}
