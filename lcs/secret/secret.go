// Package secret holds texts that nothing may show, such as passwords and tokens,
// and reads them from where the operator keeps them.
package secret

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/internal/files"
)

// maxSecret bounds a secret's file: a token is some kilobytes.
const maxSecret = 64 << 10

// A Secret is text that no log, error, page or database may show. The text is
// behind a pointer, since fmt reads unexported fields too.
type Secret struct{ text *string }

// New hides a text.
func New(s string) Secret { return Secret{&s} }

// Reveal returns the text, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const redacted = "REDACTED"

// String hides the secret from fmt.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret from JSON, YAML and zap.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Source says where a secret is: in a file or in an environment variable. It
// is read again at each use, for mounted secrets change without a restart.
type Source struct {
	File   string
	Env    string
	Getenv func(string) string // os.Getenv when nil
	Lines  bool                // it may have several lines, such as a new key and the old one
	// Parts returns what is secret of a text that is also shown, such as the password of an
	// address. Nil: all of it.
	Parts func(text string) []string
}

// Read returns the current secret, without a byte order mark and the end of the line. From
// then on Redact replaces it.
func (s Source) Read() (Secret, error) {
	if s.File != "" {
		return s.readFile()
	}
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	return s.parse(getenv(s.Env), "the environment variable "+s.Env, "")
}

func (s Source) readFile() (Secret, error) {
	b, err := files.Read(s.File, maxSecret)
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w", err)
	}
	if len(b) > maxSecret {
		return Secret{}, fmt.Errorf("read a secret: %s is longer than %d bytes; is it the right file?", s.File, maxSecret)
	}
	return s.parse(string(b), s.File, howToWrite)
}

// howToWrite is for Windows, whose editors and shells write other encodings.
const howToWrite = "; in PowerShell 7 write it with Set-Content -NoNewline -Encoding utf8, in Windows PowerShell 5.1 with [IO.File]::WriteAllText(PATH, TEXT)"

// parse takes a secret out of the text that holds it: one line of UTF-8, without the
// mark before it that some editors write. Anything else could not be sent as it is.
func (s Source) parse(text, where, help string) (Secret, error) {
	wide := strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")
	line := strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n")
	found := ""
	switch {
	case text == "" && help == "":
		found = "is not set or empty"
	case line == "":
		found = "is empty"
	case wide:
		found = "is UTF-16 text"
	case strings.ContainsRune(line, 0):
		found = "has NUL characters, as UTF-16 text has"
	case !utf8.ValidString(line):
		found = "is not UTF-8 text"
	case !s.Lines && strings.ContainsAny(line, "\r\n"):
		found = "has several lines"
	case strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\r' && r != '\n' }):
		found = "has control characters"
	default:
		s.hide(line)
		return New(line), nil
	}
	return Secret{}, fmt.Errorf("read a secret: %s %s; want one line of UTF-8 text%s", where, found, help)
}

// hide has Redact know what was read.
func (s Source) hide(text string) {
	if s.Parts != nil {
		Hide(s.Parts(text)...)
		return
	}
	Hide(text)
}
