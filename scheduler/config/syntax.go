package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	yamlv4 "go.yaml.in/yaml/v4"
)

// A fault is what makes a file no YAML: what is wrong, then what is wanted.
type fault struct {
	place
	text string
}

// findFault finds what made the parser stop. The parser knows where it stopped and
// what it expected there; what was meant shows in the text before.
func findFault(src source, text []byte) fault {
	stop := secondOpinion(text)
	if stop == nil {
		return fault{place{1, 1}, "it cannot be read; want a schedule file"}
	}
	f := finder{
		source: src, sentence: sentenceOf(stop.Message), context: stop.ContextMsg,
		mark:  place{max(1, stop.Mark.Line), max(1, stop.Mark.Column)},
		begin: place{stop.ContextMark.Line, stop.ContextMark.Column},
	}
	f.open = src.openBrackets(f.mark)
	checks := []func() (fault, bool){
		f.control, f.oddSpace, f.tab, f.openQuote, f.hiddenBracket, f.openBracket, f.variable, f.comma, f.indicator,
		f.escape, f.afterQuote, f.strayBracket, f.colonInValue, f.gluedColon, f.withoutColon, f.indentation,
	}
	for _, check := range checks {
		if found, ok := check(); ok {
			return found
		}
	}
	return f.at(f.mark, "want the structure of a schedule file")
}

// secondOpinion reads a broken file again, with a parser that knows the place at which it
// stops: yaml.v3 counts from line 0 and names the begin of the block. It is nil when
// that parser has nothing to say.
func secondOpinion(text []byte) (stop *yamlv4.LoadError) {
	defer func() {
		if recover() != nil {
			stop = nil
		}
	}()
	docs := yamlv4.NewDecoder(bytes.NewReader(text))
	for {
		err := docs.Decode(&yamlv4.Node{})
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			return nil
		}
		stop, _ = errors.AsType[*yamlv4.LoadError](err)
		return stop
	}
}

// A finder is where the parser stopped.
type finder struct {
	source
	sentence string // what the parser says
	context  string // what it was reading
	mark     place  // where it stopped
	begin    place  // where what it was reading begins; line 0 when that is not known
	open     []bracket
}

// sentenceOf leaves out the names of anchors and tags: what stands there by mistake
// may be a secret. What the parser expected is kept.
func sentenceOf(message string) string {
	name := regexp.MustCompile(`\b(anchor|alias|tag|handle|directive) (?:'[^']*'|"[^"]*"|!\S*)`)
	return name.ReplaceAllString(message, "$1")
}

// at is a fault with the parser's sentence and what is wanted.
func (f *finder) at(p place, want string, args ...any) fault {
	if isSecret(lastKey(f.before(p))) {
		return fault{p, f.sentence + "; want " + wantSecret}
	}
	return fault{p, f.sentence + "; " + fmt.Sprintf(want, args...)}
}

var controlPattern = regexp.MustCompile(`^control characters are not allowed`)

func (f *finder) control() (fault, bool) {
	if !controlPattern.MatchString(f.sentence) {
		return fault{}, false
	}
	for i, line := range f.lines {
		for k, r := range []rune(line) {
			if unicode.IsControl(r) && r != '\t' && r != '\u0085' {
				return fault{place{i + 1, k + 1}, fmt.Sprintf("the control character U+%04X stands here; want it removed", r)}, true
			}
		}
	}
	return fault{f.mark, "the file has control characters; want them removed"}, true
}

// oddSpace finds the first odd white space where only structure can be: before the
// first key of a line, after a hyphen, a comma, a bracket or a quote, or on either side
// of a colon.
func (f *finder) oddSpace() (fault, bool) {
	for n := 1; n <= min(f.mark.line, len(f.lines)); n++ {
		if column := oddSpaceIn(f.line(n)); column > 0 {
			r := f.source.at(place{n, column})
			return fault{place{n, column}, fmt.Sprintf(string(msgOddSpace), nameOfSpace(r))}, true
		}
	}
	return fault{}, false
}

// oddSpaceIn is the column of the first odd white space outside the values of a line,
// or 0.
func oddSpaceIn(line string) int {
	if !strings.ContainsFunc(line, isOddSpace) {
		return 0
	}
	runes := []rune(line)
	leading := true
	for i, r := range runes {
		if isOddSpace(r) {
			afterMark := i > 0 && strings.ContainsRune(":,[]{}\"'", runes[i-1])
			beforeColon := i+1 < len(runes) && runes[i+1] == ':'
			if leading || afterMark || beforeColon {
				return i + 1
			}
		}
		leading = leading && (isBlank(r) || r == '-')
	}
	return 0
}

// tab finds the tab before the first key of the line at fault.
func (f *finder) tab() (fault, bool) {
	for _, n := range []int{f.mark.line, f.begin.line} {
		line := f.line(n)
		lead := line[:len(line)-len(strings.TrimLeft(line, " \t-"))]
		if i := strings.IndexByte(lead, '\t'); i >= 0 && (len(f.open) == 0 || f.source.at(f.mark) == '\t') {
			return fault{place{n, i + 1}, "a tab stands before the first word of the line; want spaces"}, true
		}
	}
	if f.source.at(f.mark) == '\t' || strings.Contains(f.sentence, "tab character") {
		return f.at(f.mark, "want spaces in place of the tab"), true
	}
	return fault{}, false
}

func (f *finder) openQuote() (fault, bool) {
	if f.context != "while scanning a quoted scalar" || !strings.Contains(f.sentence, "end of stream") && !strings.Contains(f.sentence, "document indicator") {
		return fault{}, false
	}
	return fault{f.begin, "the quote that opens here is not closed; want one at the end of the value"}, true
}

// hiddenBracket finds a # that was meant as part of a value, and hides the bracket
// that closes the list or mapping.
func (f *finder) hiddenBracket() (fault, bool) {
	for _, b := range slices.Backward(f.open) {
		if b.comment.line > 0 {
			return fault{b.comment, fmt.Sprintf("did not find expected ',' or '%c': the # begins a comment, so that the %c of line %d is not closed; want quotes around a value with a # in it",
				b.closer, b.opener, b.line)}, true
		}
	}
	return fault{}, false
}

// openBracket finds a bracket that is not closed: the line at fault no longer belongs
// to it.
func (f *finder) openBracket() (fault, bool) {
	if len(f.open) == 0 {
		return fault{}, false
	}
	b := f.open[len(f.open)-1]
	ended := f.mark.line > len(f.lines) || f.mark.line == len(f.lines) && f.mark.column > len([]rune(f.line(f.mark.line))) && f.mark.line > b.line
	if !ended && (f.mark.line == b.line || indent(f.line(f.mark.line)) > indent(f.line(b.line))) {
		return fault{}, false
	}
	return fault{b.place, fmt.Sprintf("did not find expected ',' or '%c': the %c that opens here is not closed; want a %c at its end", b.closer, b.opener, b.closer)}, true
}

// variable finds ${NAME}, which nothing replaces.
func (f *finder) variable() (fault, bool) {
	before := f.before(f.mark)
	if !strings.HasSuffix(before, "$") || f.source.at(f.mark) != '{' {
		return fault{}, false
	}
	p := place{f.mark.line, f.mark.column - 1}
	want := "the value itself"
	if isSecret(lastKey(before)) {
		want = wantVariable(string([]rune(f.line(p.line))[p.column-1:]))
	}
	return fault{p, f.sentence + "; a variable is not replaced in the file; want " + want}, true
}

var variablePattern = regexp.MustCompile(`^\$\{([A-Z_][A-Z0-9_]*)\}`)

// wantVariable is what is wanted in place of a secret that begins as text does. Only
// what is written as names of environment variables are is repeated.
func wantVariable(text string) string {
	if m := variablePattern.FindStringSubmatch(text); m != nil {
		return "{env: " + m[1] + "}"
	}
	return wantSecret
}

// comma finds entries without a comma between them.
func (f *finder) comma() (fault, bool) {
	if !strings.HasPrefix(f.sentence, "did not find expected ',' or") {
		return fault{}, false
	}
	if before := f.before(f.mark); f.mark.line > f.begin.line && !strings.ContainsAny(before, ",[{") {
		return f.at(place{f.mark.line, indent(before) + 1}, "want a comma at the end of the line before"), true
	}
	if f.source.at(f.mark) == ':' {
		return f.at(f.mark, `want quotes around a value that has ": " in it, or a comma before its key`), true
	}
	return f.at(f.mark, "want a comma before this, or quotes around the value if this belongs to it"), true
}

// indicator finds a value whose first character means something to YAML. The parser may
// have read it, and stopped later in the line.
func (f *finder) indicator() (fault, bool) {
	const (
		marks   = "*&!|>%@`?"
		longest = 5000 // characters of a line that people write
	)
	line := []rune(f.line(f.mark.line))
	if len(line) > longest {
		return fault{}, false
	}
	for i, r := range line[:min(f.mark.column, len(line))] {
		p := place{f.mark.line, i + 1}
		if strings.ContainsRune(marks, r) && f.beginsValue(p) && (p == f.mark || p == f.begin || f.context != "" || r == '*') {
			return f.at(p, "want quotes around a value that begins with %c", r), true
		}
	}
	if f.sentence == "block sequence entries are not allowed in this context" {
		return f.at(f.mark, "want the list on lines of its own, or quotes around the value"), true
	}
	return fault{}, false
}

// beginsValue reports whether a value may begin at p: after a colon, a hyphen, a comma
// or a bracket, or with the line.
func (f *finder) beginsValue(p place) bool {
	text := f.before(p)
	trimmed := strings.TrimRight(text, " \t")
	return trimmed == "" || strings.ContainsAny(trimmed[len(trimmed)-1:], ":-,[{")
}

func (f *finder) escape() (fault, bool) {
	if f.context != "while scanning a quoted scalar" && f.context != "while parsing a quoted scalar" {
		return fault{}, false
	}
	return f.at(f.mark, `want \\ for a backslash within double quotes, or single quotes`), true
}

// afterQuote finds text after the quote that closes a value.
func (f *finder) afterQuote() (fault, bool) {
	before := strings.TrimRight(f.before(f.mark), " \t")
	if f.sentence != "did not find expected key" || f.source.at(f.mark) == 0 || !strings.HasSuffix(before, `"`) && !strings.HasSuffix(before, "'") {
		return fault{}, false
	}
	return f.at(f.mark, "the value has ended at the quote before; want quotes around all of it, and '' for a ' within single quotes"), true
}

func (f *finder) strayBracket() (fault, bool) {
	r := f.source.at(f.mark)
	if r != ']' && r != '}' {
		return fault{}, false
	}
	return f.at(f.mark, "the %c closes nothing; want it removed, or quotes around the value", r), true
}

const noMappingHere = "mapping values are not allowed in this context"

// colonInValue finds a value with a colon and a blank in it.
func (f *finder) colonInValue() (fault, bool) {
	if f.sentence != noMappingHere || lastKey(f.before(f.mark)) == "" {
		return fault{}, false
	}
	return f.at(f.mark, `want quotes around a value that has ": " in it`), true
}

var (
	gluedColon  = regexp.MustCompile(`^[ -]*[a-z_]+:[^\s:/]`)
	gluedHyphen = regexp.MustCompile(`^ *-[a-z_]+:(\s|$)`)
)

// gluedColon finds the blank that is missing after a colon or a hyphen of the line
// before.
func (f *finder) gluedColon() (fault, bool) {
	n := f.previous(f.mark.line)
	line := f.line(n)
	if f.sentence != noMappingHere {
		return fault{}, false
	}
	if gluedHyphen.MatchString(line) {
		return f.at(place{n, indent(line) + 1}, "want a space after the hyphen"), true
	}
	if gluedColon.MatchString(line) && !strings.Contains(line, ": ") {
		return f.at(place{n, strings.IndexByte(line, ':') + 1}, "want a space after the colon"), true
	}
	return fault{}, false
}

// withoutColon finds a line that should be a key and its value.
func (f *finder) withoutColon() (fault, bool) {
	if f.sentence != "could not find expected ':'" || f.begin.line == 0 {
		return fault{}, false
	}
	return f.at(f.begin, "want a key, a colon and a space before the value"), true
}

// indentation finds a line that begins at another column than the lines it belongs to.
func (f *finder) indentation() (fault, bool) {
	line := f.line(f.mark.line)
	width := indent(line)
	at := place{f.mark.line, width + 1}
	if strings.TrimSpace(f.before(f.mark)) != "" && f.sentence != noMappingHere || strings.TrimSpace(line) == "" {
		return fault{}, false
	}
	columns := f.columns(f.mark.line)
	i, same := slices.BinarySearch(columns, width)
	switch {
	case len(columns) == 0:
		return fault{}, false
	case same && i+1 < len(columns):
		return f.at(at, "want a hyphen before it, or %s before it as before the keys that it belongs to", spaces(columns[i+1])), true
	case same:
		return fault{}, false
	case i == len(columns):
		return f.at(at, "the line is indented by %s; want %d, as the line before", spaces(width), columns[i-1]), true
	case i == 0:
		return f.at(at, "the line is indented by %s; want %d, as the lines before", spaces(width), columns[0]), true
	}
	return f.at(at, "the line is indented by %s; want %d or %d, as the lines before", spaces(width), columns[i-1], columns[i]), true
}

func spaces(n int) string { return count(n, "space") }

// columns are the widths at which the lists and mappings that are open before a line
// have their entries, ascending.
func (f *finder) columns(before int) []int {
	var list []int
	for n := 1; n < before; n++ {
		line := f.line(n)
		text := strings.TrimLeft(line, " ")
		if text == "" || text[0] == '#' {
			continue
		}
		width := len(line) - len(text)
		i, _ := slices.BinarySearch(list, width)
		list = list[:i]
		for strings.HasPrefix(text, "- ") {
			list = append(list, width)
			rest := strings.TrimLeft(text[1:], " ")
			width += len(text) - len(rest)
			text = rest
		}
		list = append(list, width)
	}
	return list
}
