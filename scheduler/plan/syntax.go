package plan

import (
	"fmt"
	"strings"
	"unicode"
)

// A SyntaxError says what is wrong with a written window, trigger, set of days or
// date, and what is wanted instead.
type SyntaxError struct {
	Offset  int    // of the fault, in bytes from the start of the text
	Message string // what is wrong; what is wanted
}

// Error is the message alone: the place is for the caller to add.
func (e *SyntaxError) Error() string { return e.Message }

// A token is a word, a time, or one of the marks "-" and ",".
type token struct {
	kind   tokenKind
	text   string
	offset int
}

type tokenKind int

const (
	endToken tokenKind = iota
	wordToken
	timeToken
	markToken
)

// A scanner walks over the tokens of one text.
type scanner struct {
	tokens []token // ends with an endToken
	next   int
}

// newScanner reads s; want is what a message says is wanted in place of a character that
// belongs nowhere.
func newScanner(s, want string) (*scanner, error) {
	sc := &scanner{}
	for i := 0; i < len(s); {
		kind, n := classify(s[i:])
		switch kind {
		case endToken: // a space
		case wordToken, timeToken, markToken:
			sc.tokens = append(sc.tokens, token{kind, s[i : i+n], i})
		default:
			if r := firstRune(s[i:]); unicode.IsSpace(r) {
				return nil, &SyntaxError{i, fmt.Sprintf("the white space U+%04X is no ordinary space; want one", r)}
			}
			return nil, &SyntaxError{i, fmt.Sprintf("unexpected %q; want %s", string(firstRune(s[i:])), want)}
		}
		i += n
	}
	sc.tokens = append(sc.tokens, token{endToken, "", len(s)})
	return sc, nil
}

// classify returns kind and length of the token that s begins with: endToken for a
// space, a negative kind for what belongs nowhere.
func classify(s string) (tokenKind, int) {
	switch {
	case s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r':
		return endToken, 1
	case s[0] == '-' || s[0] == ',':
		return markToken, 1
	case strings.HasPrefix(s, "–"):
		return markToken, len("–") // often pasted for a hyphen
	case isLetter(s[0]):
		return wordToken, prefixLen(s, isLetter)
	case isDigit(s[0]):
		return timeToken, prefixLen(s, func(b byte) bool { return isDigit(b) || b == ':' })
	}
	return -1, 1
}

func prefixLen(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

func (sc *scanner) peek() token { return sc.tokens[sc.next] }

// take returns the token at hand and moves on; the end is never passed.
func (sc *scanner) take() token {
	t := sc.tokens[sc.next]
	if t.kind != endToken {
		sc.next++
	}
	return t
}

// accept takes the mark m if it comes next.
func (sc *scanner) accept(m string) bool {
	t := sc.peek()
	if t.kind != markToken || (t.text == ",") != (m == ",") {
		return false
	}
	sc.next++
	return true
}

// unexpected is the error of finding t where want should be.
func unexpected(t token, want string) error {
	if t.kind == endToken {
		return &SyntaxError{t.offset, "the text ends too soon; want " + want}
	}
	return &SyntaxError{t.offset, fmt.Sprintf("unexpected %q; want %s", t.text, want)}
}
