// Package secret holds texts that nothing may show, such as passwords and tokens,
// and reads them from where the operator keeps them.
package secret

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
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
}

// Read returns the current secret, without the newline at its end.
func (s Source) Read() (Secret, error) {
	if s.File != "" {
		return readFile(s.File)
	}
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	text := getenv(s.Env)
	if text == "" {
		return Secret{}, fmt.Errorf("read a secret: the environment variable %s is not set or empty", s.Env)
	}
	return New(text), nil
}

func readFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, fmt.Errorf("read a secret: %w", err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case len(b) > maxSecret:
		return Secret{}, fmt.Errorf("read a secret: %s is longer than %d bytes; is it the right file?", path, maxSecret)
	case text == "":
		return Secret{}, fmt.Errorf("read a secret: %s is empty", path)
	}
	return New(text), nil
}

// A Rotating secret is read again at each use. While it cannot be read, the one
// that was last read is used. The zero value is no secret.
type Rotating struct {
	source Source

	mu   sync.Mutex // guards last
	last Secret
}

// NewRotating reads a secret for the first time.
func NewRotating(s Source) (*Rotating, error) {
	first, err := s.Read()
	if err != nil {
		return nil, err
	}
	return &Rotating{source: s, last: first}, nil
}

// Current returns the current secret.
func (r *Rotating) Current() Secret {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source.File == "" && r.source.Env == "" {
		return Secret{}
	}
	if now, err := r.source.Read(); err == nil {
		r.last = now
	}
	return r.last
}
