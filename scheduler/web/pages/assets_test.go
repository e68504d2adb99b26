package pages_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The script of others is the release that its note names, unchanged.
func TestHtmxIsTheReleaseThatIsNoted(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("static/htmx.js")
	if err != nil {
		t.Fatal(err)
	}
	note, err := os.ReadFile("static/htmx.js.license")
	if err != nil {
		t.Fatal(err)
	}
	const version, want = "4.0.1", "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
	if sum := sha256.Sum256(script); hex.EncodeToString(sum[:]) != want {
		t.Errorf("the sum of static/htmx.js is %x, want that of htmx.org %s, dist/htmx.min.js: %s", sum, version, want)
	}
	if text := string(note); !strings.Contains(text, "htmx.org "+version) || !strings.Contains(text, "Zero-Clause BSD") {
		t.Errorf("the note of the licence does not name the version or the licence:\n%s", text)
	}
}
