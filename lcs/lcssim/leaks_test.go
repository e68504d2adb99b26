package lcssim_test

import (
	"encoding/base64"
	"testing"

	"curfew/lcs/lcssim"
)

func TestLeaksAreSeenInEachForm(t *testing.T) {
	const secret = `pa ss"wörd/1>>>?`
	for name, text := range map[string]string{
		"as it is": "x" + secret + "x", "in a form": "password=pa+ss%22w%C3%B6rd%2F1%3E%3E%3E%3F&x", "in a path": "/pa%20ss%22w%C3%B6rd%2F1%3E%3E%3E%3F",
		"in JSON": `{"p":"pa ss\"wörd/1\u003e\u003e\u003e?"}`, "in a log": `{"p":"pa ss\"wörd/1>>>?"}`,
		"in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in base64 for addresses": base64.URLEncoding.EncodeToString([]byte(secret)),
	} {
		if found := lcssim.Leaks(map[string]string{name: text}, []string{secret}); len(found) != 1 {
			t.Errorf("%s: found %v, want the secret", name, found)
		}
	}
	if found := lcssim.Leaks(map[string]string{"a place": "pass"}, []string{secret}); len(found) != 0 {
		t.Errorf("found %v in a place that shows none", found)
	}
	if found := lcssim.Leaks(nil, []string{""}); len(found) != 1 {
		t.Error("an empty secret was looked for")
	}
}
