package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	maxExcerpts = 1000 // problems of a file whose lines are shown
	maxShown    = 110  // characters of a line that are shown
)

// keyPattern finds what is, or looks like, a key and its colon.
var keyPattern = regexp.MustCompile(`("[^"]*"|'[^']*'|[^\s{}\[\],:"']+)[ \t]*:(?:[ \t]|$)`)

// lastKey is the last key of a text, or "".
func lastKey(text string) string {
	all := keyPattern.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.Trim(all[len(all)-1][1], `"'`)
}

// shownKeys are the keys whose values may be repeated: those of all sections but where
// a secret, or an address that may carry one, stands.
func shownKeys() map[string]bool {
	shown := map[string]bool{}
	for _, s := range []section{fileSection(), accountSection(), projectSection(), environmentSection(), calendarSection(), scheduleSection(), exceptionSection(), receiverSection(), defaultsSection()} {
		for _, k := range s.keys {
			shown[k.name] = !isHidden(k.name)
		}
	}
	return shown
}

// isSecret reports whether a key says where a secret is kept.
func isSecret(name string) bool {
	return slices.Contains([]string{"password", "client_secret", "token", "url"}, name)
}

// isHidden reports whether the value of a key is a secret, or an address that may carry
// one.
func isHidden(name string) bool {
	return isSecret(name) || slices.Contains([]string{"endpoint", "authority", "scope", "issuer"}, name)
}

// An excerpter shows lines of a file.
type excerpter struct {
	source
	shown map[string]bool // keys whose values may be shown
	tops  []int           // the lines at the level of the sections
	known map[int]bool    // those of them that begin a section
}

func newExcerpter(s source) *excerpter {
	e := &excerpter{source: s, shown: shownKeys(), known: map[int]bool{}}
	file := fileSection()
	for i, line := range s.lines {
		if isTop(line) {
			key, _, _ := strings.Cut(line, ":")
			e.tops = append(e.tops, i+1)
			e.known[i+1] = file.has(strings.TrimSpace(key))
		}
	}
	return e
}

// excerpt is the line of a place with a caret underneath, or "" when the line must not
// be shown. A line is shown up to the first key whose value may be a secret, and only
// where it is known to which key it belongs.
func (e *excerpter) excerpt(p place) string {
	line := []rune(e.line(p.line))
	if len(line) == 0 || !e.belongs(p.line) {
		return ""
	}
	shown, whole := e.visible(string(line))
	if p.column > len(shown)+1 || p.column > len(shown) && !whole {
		return ""
	}
	if !whole {
		shown = append(shown, []rune(" …")...)
	}
	if from := p.column - maxShown*2/3; from > 0 && len(shown) > maxShown {
		shown = append([]rune("…"), shown[from:]...)
		p.column -= from - 1
	}
	if len(shown) > maxShown {
		shown = append(shown[:maxShown:maxShown], '…')
	}
	return printable(shown) + "\n" + padding(shown, p.column) + "^"
}

// addExcerpts adds the lines of the schedule file to problems in it. A problem at 1:1 is
// one of the whole file.
func (d *decoder) addExcerpts(list Diagnostics) {
	if len(list) == 0 || d.src == nil {
		return
	}
	e := newExcerpter(newSource(d.src))
	for i := range list[:min(len(list), maxExcerpts)] {
		p := &list[i]
		if at := (place{p.Line, p.Column}); p.File == d.file && p.Severity != Note && at != (place{1, 1}) {
			p.Excerpt = e.excerpt(at)
		}
	}
}

// visible is the part of a line that may be shown, and whether that is all of it.
func (e *excerpter) visible(line string) (shown []rune, whole bool) {
	end := len(line)
	for _, m := range keyPattern.FindAllStringSubmatchIndex(line, -1) {
		if !e.shown[strings.Trim(line[m[2]:m[3]], `"'`)] {
			end = m[3] + strings.IndexByte(line[m[3]:], ':') + 1
			break
		}
	}
	for _, mark := range []string{"://", "#"} { // an address may have a password, and a comment anything
		if i := strings.Index(line, mark); i >= 0 {
			end = min(end, i+len(mark))
		}
	}
	return []rune(line[:end]), end == len(line)
}

// belongs reports whether a line is in a section of a schedule file, and begins with a
// key or continues the value of a key that may be shown.
func (e *excerpter) belongs(n int) bool {
	i, top := slices.BinarySearch(e.tops, n)
	if !top {
		if i == 0 || !e.known[e.tops[i-1]] {
			return false
		}
	}
	return e.continues(n)
}

// isTop reports whether a line stands at the level of the sections.
func isTop(line string) bool {
	return line != "" && !strings.ContainsAny(line[:1], " \t#-")
}

// continues reports whether a line begins with a key, or belongs to the value of one
// that may be shown: the last key of the line under which it is indented.
func (e *excerpter) continues(n int) bool {
	const most = 200 // lines of one value
	line := e.line(n)
	text := strings.TrimLeft(line, " \t-{[")
	if m := keyPattern.FindStringIndex(text); m != nil && m[0] == 0 {
		return true
	}
	width := indent(line)
	for range most {
		n = e.previous(n)
		above := e.line(n)
		if n == 0 || indent(above) < width || width == 0 {
			return e.shown[lastKey(above)]
		}
	}
	return false
}

// printable makes what cannot be seen visible, one character for each.
func printable(line []rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return '→'
		case isOddSpace(r):
			return '␣'
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, string(line))
}

// padding is as wide as what stands before a column.
func padding(line []rune, column int) string {
	var b strings.Builder
	for i := range column - 1 {
		if i >= len(line) || !unicode.Is(unicode.Mn, line[i]) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}
