package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"curfew/scheduler/calendar"
	"curfew/scheduler/plan"
)

// A decoder walks over the nodes of one file, fills in cfg and collects every
// problem on the way. What is wrong is reported where it stands and then left out;
// whoever needed it reports nothing, so that one mistake makes one message.
type decoder struct {
	file  string
	dir   string
	opts  Options
	src   []byte // of the file, once it is known to be text
	cfg   *Config
	diags Diagnostics

	accounts     *names
	projects     *names
	environments *names
	calendars    *names
	selection    *selection
	spellings    int // comparisons for "did you mean" that are left
	patterns     map[string]*regexp.Regexp
	texts        map[string]string // of names that many entries repeat

	built      map[string]*plan.Calendar // by name
	regions    map[string][]string       // by country, once asked for
	icsFiles   map[string]*calendar.ICS  // by path, once read; nil for one that cannot be
	schedules  []scheduleEntry
	exceptions []*yaml.Node // as those of cfg
}

// report adds a problem at a place of the file.
func (d *decoder) report(s Severity, line, column int, m message, args ...any) {
	d.diags = append(d.diags, Diagnostic{File: d.file, Line: line, Column: column, Severity: s, Message: fmt.Sprintf(string(m), args...)})
}

// fileError is an error of the file as a whole.
func (d *decoder) fileError(m message, args ...any) { d.report(Error, 1, 1, m, args...) }

func (d *decoder) errorf(n *yaml.Node, m message, args ...any) {
	d.report(Error, n.Line, n.Column, m, args...)
}

func (d *decoder) warnf(n *yaml.Node, m message, args ...any) {
	d.report(Warning, n.Line, n.Column, m, args...)
}

func (d *decoder) notef(n *yaml.Node, m message, args ...any) {
	d.report(Note, n.Line, n.Column, m, args...)
}

// once returns s, the same string for all that are equal: a file repeats names of
// projects and tags thousands of times, and each would stay in memory.
func (d *decoder) once(s string) string {
	if known, ok := d.texts[s]; ok {
		return known
	}
	d.texts[s] = s
	return s
}

// matches reports whether s is as a pattern wants it, which is compiled once.
func (d *decoder) matches(pattern, s string) bool {
	compiled := d.patterns[pattern]
	if compiled == nil {
		compiled = regexp.MustCompile(pattern)
		d.patterns[pattern] = compiled
	}
	return compiled.MatchString(s)
}

// errorIn is an error at an offset, in bytes, within the text of n.
func (d *decoder) errorIn(n *yaml.Node, offset int, m message, args ...any) {
	column := n.Column
	if offset <= len(n.Value) {
		offset = utf8.RuneCountInString(n.Value[:offset])
	}
	switch n.Style {
	case 0:
		column += offset
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		column += offset + 1
	default: // blocks and tagged texts: the place where they begin is near enough
	}
	d.report(Error, n.Line, column, m, args...)
}

// fields are the values of a mapping by key. A value that is missing or broken is nil.
type fields struct {
	d       *decoder
	node    *yaml.Node
	section section
	values  map[string]*yaml.Node
}

// fields checks the keys of a mapping against its section.
func (d *decoder) fields(n *yaml.Node, s section) (*fields, bool) {
	if n.Kind != yaml.MappingNode {
		d.errorf(n, msgWantMapping, kindOf(n), s.title, oneOf(s.names()))
		return nil, false
	}
	f := &fields{d, n, s, make(map[string]*yaml.Node, len(s.keys))}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f.take(n.Content[i], n.Content[i+1])
	}
	for _, k := range s.keys {
		if _, ok := f.values[k.name]; k.required && !ok {
			d.errorf(n, msgMissingKey, s.title, k.name, k.want)
		}
	}
	return f, true
}

func (f *fields) take(key, value *yaml.Node) {
	d := f.d
	switch {
	case key.Kind != yaml.ScalarNode:
		d.errorf(key, msgKeyNotText)
		return
	case !f.section.has(key.Value) && f.oddSpace(key, value):
		return
	case !f.section.has(key.Value) && f.section.secret:
		d.errorf(key, msgSecretKey, f.section.title)
		return
	case !f.section.has(key.Value):
		d.errorf(key, msgUnknownKey, cut(key.Value), f.section.title, d.meantKey(key.Value, f.section))
		return
	}
	if f.has(key.Value) {
		d.errorf(key, msgDuplicateKey, key.Value, f.first(key.Value).Line)
		return
	}
	if isNull(value) {
		d.errorf(key, msgNoValue, key.Value, f.section.key(key.Value).want)
		value = nil
	}
	f.values[key.Value] = value
}

// oddSpace reports white space that became a part of the key. It returns whether there
// is any.
func (f *fields) oddSpace(key, value *yaml.Node) bool {
	column := oddSpaceIn(key.Value + ":")
	if column == 0 || key.Style != 0 {
		return false
	}
	f.d.report(Error, key.Line, key.Column+column-1, msgOddSpace, nameOfSpace([]rune(key.Value)[column-1]))
	name, _, glued := strings.Cut(strings.TrimFunc(key.Value, isOddSpace), ":")
	if glued {
		value = nil // it is a part of the key too
	}
	if f.section.has(name) {
		f.values[name] = value
	}
	return true
}

// first is the first of the keys of that name.
func (f *fields) first(name string) *yaml.Node {
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if key := f.node.Content[i]; key.Kind == yaml.ScalarNode && key.Value == name {
			return key
		}
	}
	return f.node
}

// has reports whether the key is there, be its value broken or not.
func (f *fields) has(key string) bool {
	_, ok := f.values[key]
	return ok
}

// isEmpty reports whether a list is missing or has no entries.
func (f *fields) isEmpty(key string) bool {
	n := f.values[key]
	return !f.has(key) || n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0
}

// text reads a value that is text, or "" when there is none.
func (f *fields) text(key string) string {
	n := f.values[key]
	if n == nil {
		return ""
	}
	s, _ := f.d.text(n, key, f.section.key(key).want)
	return s
}

// text reads a scalar that is not a number, a truth value or nothing. Dates, which
// YAML has a type for, count as text.
func (d *decoder) text(n *yaml.Node, what, want string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		d.errorf(n, msgWantKind, what, kindOf(n), want)
		return "", false
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
	default:
		d.errorf(n, msgWantQuotes, what, kindOf(n), want)
		return "", false
	}
	if strings.TrimSpace(n.Value) == "" {
		d.errorf(n, msgBlank, what, want)
		return "", false
	}
	if n.Style == 0 && d.pasted(n, what) {
		return "", false
	}
	if len(n.Value) > maxText || strings.ContainsFunc(n.Value, unicode.IsControl) {
		d.errorf(n, msgStrangeText, what, maxText, want)
		return "", false
	}
	return n.Value, true
}

// pasted reports what text pasted from a document has around it: white space that is no
// space, and quotes that YAML does not know.
func (d *decoder) pasted(n *yaml.Node, what string) bool {
	runes := []rune(n.Value)
	for _, i := range []int{0, len(runes) - 1} {
		if isOddSpace(runes[i]) {
			d.errorIn(n, len(string(runes[:i])), msgOddSpace, nameOfSpace(runes[i]))
			return true
		}
	}
	if strings.ContainsRune("“”„‘’‚«»", runes[0]) {
		d.errorf(n, msgTypographic, what, string(runes[0]))
		return true
	}
	return false
}

// maxText bounds a single value, in bytes.
const maxText = 1000

// enum reads one of the words allowed for key, or fallback when there is none.
func (f *fields) enum(key, fallback string) string {
	n := f.values[key]
	if n == nil {
		return fallback
	}
	s, ok := f.d.word(n, key, f.section.key(key).words)
	if !ok {
		return fallback
	}
	return s
}

// word reads one of several words.
func (d *decoder) word(n *yaml.Node, what string, words []string) (string, bool) {
	s, ok := d.text(n, what, oneOf(words))
	if ok && !slices.Contains(words, s) {
		d.errorf(n, msgUnknownWord, what, cut(s), d.meant(s, words))
		return "", false
	}
	return s, ok
}

// flag reads true or false.
func (f *fields) flag(key string, fallback bool) bool {
	n := f.values[key]
	if n == nil {
		return fallback
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		f.d.errorf(n, msgWantKind, key, kindOf(n), "true or false")
		return fallback
	}
	return strings.EqualFold(n.Value, "true")
}

// number reads a number between the bounds of the key.
func (f *fields) number(key string) float64 {
	n := f.values[key]
	if n == nil {
		return 0
	}
	k := f.section.key(key)
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" {
		f.d.errorf(n, msgWantKind, key, kindOf(n), k.want)
		return 0
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if err != nil { // 0x10, 1_000, .inf
		f.d.errorf(n, msgPlainNumber, key, cut(n.Value), k.want)
		return 0
	}
	whole := k.whole && v != math.Trunc(v)
	if math.IsNaN(v) || v < k.low || v > k.high || whole {
		f.d.errorf(n, msgNumberBounds, key, cut(n.Value), k.want)
		return 0
	}
	return v
}

// duration reads a length of time between the bounds of the key.
func (f *fields) duration(key string, fallback time.Duration) time.Duration {
	n := f.values[key]
	if n == nil {
		return fallback
	}
	k := f.section.key(key)
	if n.Kind != yaml.ScalarNode {
		f.d.errorf(n, msgWantKind, key, kindOf(n), k.want)
		return fallback
	}
	length, ok := ParseDuration(n.Value)
	switch {
	case !ok || n.ShortTag() != "!!str" && length != 0:
		f.d.errorf(n, msgDuration, key, cut(n.Value), k.want)
		return fallback
	case length < k.shortest || length > k.longest:
		f.d.errorf(n, msgDurationBounds, key, n.Value, plan.FormatDuration(k.shortest), plan.FormatDuration(k.longest))
		return fallback
	}
	return length
}

// ParseDuration reads "90m", "1h30m", "2d" or "1d12h"; 0 needs no unit.
func ParseDuration(s string) (time.Duration, bool) {
	var days time.Duration
	if count, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(count, 10, 16)
		if err != nil {
			return 0, false
		}
		if days, s = time.Duration(n)*24*time.Hour, rest; s == "" {
			return days, true
		}
	}
	rest, err := time.ParseDuration(s)
	if err != nil || rest < 0 && days != 0 || rest > math.MaxInt64-days {
		return 0, false
	}
	return days + rest, true
}

// list returns the elements of a list. With none it reports nothing.
func (f *fields) list(key string) []*yaml.Node {
	n := f.values[key]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.d.errorf(n, msgWantKind, key, kindOf(n), f.section.key(key).want)
		return nil
	}
	return n.Content
}

// oneOrMore returns the elements of a list, or a single value as a list of it.
func (f *fields) oneOrMore(key string) []*yaml.Node {
	n := f.values[key]
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.SequenceNode:
		return []*yaml.Node{n}
	case len(n.Content) == 0:
		f.d.errorf(n, msgEmptyList, key, f.section.key(key).want)
	case len(n.Content) > maxList:
		f.d.errorf(n, msgLongList, key, maxList)
		return nil
	}
	return n.Content
}

// maxList bounds the lists within one entry.
const maxList = 1000

// kindOf is what n is, in words for messages.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return kindOfText(n)
	}
}

func kindOfText(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}

// cut keeps what is quoted in a message short.
func cut(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
