package secret_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"curfew/lcs/secret"
)

const password = "correct-horse-battery-staple"

func TestSecretShowsNowhere(t *testing.T) {
	s := secret.New(password)
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, struct{ S secret.Secret }{s}) + string(j)
	if strings.Contains(shown, password) || strings.Contains(shown, fmt.Sprintf("%x", password)) {
		t.Errorf("a secret shows: %s", shown)
	}
	if s.Reveal() != password {
		t.Error("Reveal does not return the secret")
	}
}

func TestRotatingSecretIsReadAgainAtEachUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := secret.NewRotating(secret.Source{File: file}); err == nil {
		t.Error("NewRotating without its file returned no error")
	}
	write("one\n")
	r, err := secret.NewRotating(secret.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"changed", "two\r\n", "two"},
		{"empty: the last one is used", "\n", "two"},
		{"too long: the last one is used", strings.Repeat("x", 64<<10+1), "two"},
		{"changed again", "three", "three"},
	} {
		write(tt.text)
		if got := r.Current().Reveal(); got != tt.want {
			t.Errorf("%s: Current() = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := (&secret.Rotating{}).Current().Reveal(); got != "" {
		t.Errorf("the zero value's Current() = %q, want none", got)
	}
}

func TestSourceReadsItsVariable(t *testing.T) {
	s := secret.Source{Env: "LCS_PASSWORD", Getenv: func(name string) string { return map[string]string{"LCS_PASSWORD": password}[name] }}
	if got, err := s.Read(); err != nil || got.Reveal() != password {
		t.Errorf("Read() = %q, %v; want the variable's", got.Reveal(), err)
	}
	s.Env = "OTHER"
	if _, err := s.Read(); err == nil || !strings.Contains(err.Error(), "OTHER") {
		t.Errorf("Read() of a variable that is not set = %v, want an error that names it", err)
	}
}
