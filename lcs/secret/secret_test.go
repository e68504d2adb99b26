package secret_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

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

func TestSourceOfSeveralSecretsHasALineForEach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("\ufeffnew\r\nold\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (secret.Source{File: file, Lines: true}).Read(); err != nil || got.Reveal() != "new\r\nold" {
		t.Errorf("Read() = %q, %v; want both lines", got.Reveal(), err)
	}
	if _, err := (secret.Source{File: file}).Read(); err == nil || !strings.Contains(err.Error(), "has several lines") {
		t.Errorf("Read() of one secret = %v, want several lines refused", err)
	}
}

func TestSecretFilesHoldOneLineOfText(t *testing.T) {
	tests := []struct{ name, text, want, found string }{
		{"a line", "s3cr3t\n", "s3cr3t", ""},
		{"the end of a line of Windows", "s3cr3t\r\n", "s3cr3t", ""},
		{"no end of a line", "s3cr3t", "s3cr3t", ""},
		{"a byte order mark is no part of it", "\ufeffs3cr3t\r\n", "s3cr3t", ""},
		{"blanks are part of it", " s3cr3t \n", " s3cr3t ", ""},
		{"letters beyond ASCII", "pässwörd\n", "pässwörd", ""},
		{"UTF-16 of PowerShell's >", "\xff\xfes\x003\x00\r\x00\n\x00", "", "is UTF-16 text"},
		{"UTF-16, the other order", "\xfe\xff\x00s\x003", "", "is UTF-16 text"},
		{"UTF-16 without its mark", "s\x003\x00", "", "has NUL characters, as UTF-16 text has"},
		{"Latin-1", "p\xe4ssw\xf6rd\n", "", "is not UTF-8 text"},
		{"two lines", "s3cr3t\nother\n", "", "has several lines"},
		{"a lone return", "s3cr3t\rother", "", "has several lines"},
		{"an escape", "s3cr3t\x1b[A", "", "has control characters"},
		{"nothing", "", "", "is empty"},
		{"a byte order mark alone", "\ufeff\r\n", "", "is empty"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "lcs-password")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := secret.Source{File: file}.Read()
		said := ""
		if tt.found != "" {
			said = "read a secret: " + file + " " + tt.found + "; want one line of UTF-8 text; in PowerShell 7 write it with Set-Content -NoNewline -Encoding utf8, " +
				"in Windows PowerShell 5.1 with [IO.File]::WriteAllText(PATH, TEXT)"
		}
		if got.Reveal() != tt.want || tt.found == "" && err != nil || tt.found != "" && (err == nil || err.Error() != said) {
			t.Errorf("%s: Read() = %q, %v; want %q, %s", tt.name, got.Reveal(), err, tt.want, said)
		}
	}
}

// What is read is one line that a header may hold, and no error shows the file.
func FuzzSecretFile(f *testing.F) {
	for _, text := range []string{"s3cr3t\r\n", "\ufeffs3cr3t", "\xff\xfes\x00", "a\nb", "\x00"} {
		f.Add([]byte(text))
	}
	file := filepath.Join(f.TempDir(), "lcs-password")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := secret.Source{File: file}.Read()
		if s := got.Reveal(); err == nil && (s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || !strings.Contains(string(text), s)) {
			t.Errorf("Read() of %q = %q", text, s)
		}
	})
}
