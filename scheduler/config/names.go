package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"
)

// names are the entries of one section by name: where they stand, and which of them
// are used.
type names struct {
	kind    string // "account", for messages
	order   []string
	places  map[string]*yaml.Node
	folded  map[string]string // lower case to the name as it was written first
	used    map[string]bool
	partial bool // an entry has no usable name, so that an unknown name may be its
}

func newNames(kind string) *names {
	return &names{kind: kind, places: map[string]*yaml.Node{}, folded: map[string]string{}, used: map[string]bool{}}
}

// maxName bounds a name, in characters.
const maxName = 100

const wantName = "1 to 100 letters, digits and . _ -"

// validName reports whether s is a name: it must not look like a selector, and must
// stand in an address of the API and in a file name as it is.
func validName(s string) bool {
	if s == "" || utf8.RuneCountInString(s) > maxName {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r) {
			return false
		}
	}
	return strings.Trim(s, ".") != ""
}

// Normal is a name in the form in which names are compared: a letter with an accent is
// one character, whether it was written as one or as a letter and its accent.
func Normal(name string) string { return norm.NFC.String(name) }

// define reads the name of an entry and enters it. It returns "" when the entry
// cannot be used.
func (d *decoder) define(f *fields, in *names) string {
	n := f.values["name"]
	if n == nil {
		in.partial = true
		return ""
	}
	name, ok := d.text(n, "name", wantName)
	name = Normal(name)
	switch {
	case !ok:
	case !validName(name):
		d.errorf(n, msgBadName, in.kind, cut(name), wantName)
	case in.folded[strings.ToLower(name)] != "":
		first := in.folded[strings.ToLower(name)]
		d.errorf(n, msgDuplicateName, in.kind, name, first, in.places[first].Line)
		return ""
	default:
		in.order = append(in.order, name)
		in.places[name] = n
		in.folded[strings.ToLower(name)] = name
		return name
	}
	in.partial = true
	return ""
}

// refer reads a reference to an entry of in and marks the entry as used.
func (d *decoder) refer(n *yaml.Node, in *names) (string, bool) {
	name, ok := d.text(n, in.kind, "the name of one")
	if !ok {
		return "", false
	}
	name = Normal(name)
	if in.places[name] == nil {
		if !in.partial {
			d.errorf(n, msgUnknownName, in.kind, cut(name), d.meant(name, in.order))
		}
		return "", false
	}
	in.used[name] = true
	return d.once(name), true
}

// warnUnused reports the entries to which nothing refers.
func (d *decoder) warnUnused(in *names, by string) {
	for _, name := range in.order {
		if !in.used[name] {
			d.warnf(in.places[name], msgUnused, in.kind, name, by)
		}
	}
}
