package config

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// The bounds of a schedule file keep a hostile or broken one from costing time or
// memory. They are far beyond what is written by hand.
const (
	maxBytes    = 64 << 20
	maxPieces   = 3_000_000 // lines, commas and brackets: a parsed value takes a hundred times its text
	maxDepth    = 30        // of lists and mappings within each other
	maxExpanded = 200_000   // values that aliases may stand for, in all
)

// parseTree reads the one document of src. It returns nil after reporting why it
// cannot.
func (d *decoder) parseTree(src []byte) *yaml.Node {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	switch {
	case len(src) > maxBytes:
		d.fileError(msgTooLarge, maxBytes>>20)
		return nil
	case !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0:
		d.fileError(msgNotText)
		return nil
	case piecesOf(src) > maxPieces:
		d.fileError(msgTooManyPieces, maxPieces)
		return nil
	}
	d.src = src
	docs := yaml.NewDecoder(bytes.NewReader(src))
	doc, err := nextDocument(docs)
	if err == nil && isEmpty(doc) || errors.Is(err, io.EOF) {
		d.fileError(msgEmpty)
		return nil
	}
	if err != nil {
		d.syntaxError()
		return nil
	}
	second, err := nextDocument(docs)
	switch {
	case err == nil:
		d.errorf(second, msgSeveralDocuments)
		return nil
	case !errors.Is(err, io.EOF):
		d.syntaxError()
		return nil
	}
	e := expander{d: d, left: maxExpanded, open: map[*yaml.Node]bool{}}
	root := e.expand(doc.Content[0], 0)
	if e.failed {
		return nil
	}
	return root
}

// piecesOf counts what bounds the number of values: lines that are neither blank nor
// comments, commas and opening brackets.
func piecesOf(src []byte) int {
	n := bytes.Count(src, []byte(",")) + bytes.Count(src, []byte("[")) + bytes.Count(src, []byte("{"))
	for line := range bytes.Lines(src) {
		if line = bytes.TrimLeft(line, " \t\r\n"); len(line) > 0 && line[0] != '#' {
			n++
		}
	}
	return n
}

func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || len(doc.Content) == 1 && isNull(doc.Content[0])
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

var errUnreadable = errors.New("it cannot be read")

// nextDocument reads one document. Should the library panic, that is a syntax error.
func nextDocument(docs *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errUnreadable
		}
	}()
	doc = &yaml.Node{}
	err = docs.Decode(doc)
	return doc, err
}

// syntaxError reports where the parser stopped, or what made it stop there.
func (d *decoder) syntaxError() {
	f := findFault(newSource(d.src), d.src)
	d.report(Error, f.line, f.column, msgSyntax, f.text)
}

// An expander replaces each alias by what it stands for, so that the rest
// of the decoder need not know of aliases. It is bounded: a few lines of aliases of
// aliases can stand for more values than there is memory.
type expander struct {
	d      *decoder
	left   int                 // values that aliases may still bring in
	open   map[*yaml.Node]bool // anchors being expanded
	inside int                 // aliases being expanded
	failed bool
}

func (e *expander) fail(n *yaml.Node, m message, args ...any) *yaml.Node {
	if !e.failed {
		e.d.errorf(n, m, args...)
	}
	e.failed = true
	return n
}

func (e *expander) expand(n *yaml.Node, depth int) *yaml.Node {
	switch {
	case e.failed:
		return n
	case depth > maxDepth:
		return e.fail(n, msgTooDeep, maxDepth)
	case n.Kind == yaml.AliasNode:
		return e.alias(n, depth)
	case n.Style&yaml.TaggedStyle != 0:
		return e.fail(n, msgTag)
	case n.Kind == yaml.ScalarNode:
		return n
	}
	if e.inside > 0 {
		e.left -= len(n.Content)
	}
	if e.left < 0 {
		return e.fail(n, msgTooManyAliases, maxExpanded)
	}
	out := *n
	out.Content = make([]*yaml.Node, 0, len(n.Content))
	for _, c := range n.Content {
		out.Content = append(out.Content, e.expand(c, depth+1))
	}
	if n.Kind == yaml.MappingNode {
		e.merge(&out)
	}
	return &out
}

func (e *expander) alias(n *yaml.Node, depth int) *yaml.Node {
	if n.Alias == nil || e.open[n.Alias] {
		return e.fail(n, msgAliasLoop)
	}
	e.open[n.Alias] = true
	e.inside++
	out := e.expand(n.Alias, depth)
	e.inside--
	delete(e.open, n.Alias)
	return out
}

// merge adds the keys of << to the mapping; its own keys come first.
func (e *expander) merge(n *yaml.Node) {
	var own, merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key, value := n.Content[i], n.Content[i+1]; key.ShortTag() == "!!merge" {
			merged = append(merged, e.merged(value)...)
		} else {
			own = append(own, key, value)
		}
	}
	if len(merged) == 0 {
		n.Content = own
		return
	}
	has := map[string]bool{}
	for i := 0; i < len(own); i += 2 {
		has[own[i].Value] = true
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if name := merged[i].Value; !has[name] {
			has[name] = true
			own = append(own, merged[i], merged[i+1])
		}
	}
	n.Content = own
}

// merged is the keys and values that the value of << brings in.
func (e *expander) merged(value *yaml.Node) []*yaml.Node {
	switch value.Kind {
	case yaml.MappingNode:
		return value.Content
	case yaml.SequenceNode:
		var all []*yaml.Node
		for _, c := range value.Content {
			if c.Kind != yaml.MappingNode {
				e.fail(c, msgMerge)
				return nil
			}
			all = append(all, c.Content...)
		}
		return all
	default:
	}
	e.fail(value, msgMerge)
	return nil
}
