package lcssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Leaks lists which places show which secrets: as they are, or as they look in an
// address, in JSON or in base64. It names a secret by its first letters.
func Leaks(places map[string]string, secrets []string) []string {
	var found []string
	for _, secret := range secrets {
		if len(secret) < 8 {
			found = append(found, fmt.Sprintf("%q is too short to be looked for", secret))
			continue
		}
		forms := formsOf(secret)
		for place, text := range places {
			for form := range forms {
				if strings.Contains(text, form) {
					found = append(found, fmt.Sprintf("%s shows the secret %.12s…", place, secret))
					break
				}
			}
		}
	}
	return found
}

func formsOf(secret string) map[string]bool {
	forms := map[string]bool{
		secret: true, url.QueryEscape(secret): true, url.PathEscape(secret): true,
		base64.RawStdEncoding.EncodeToString([]byte(secret)): true, base64.RawURLEncoding.EncodeToString([]byte(secret)): true,
	}
	for _, html := range []bool{true, false} { // zap does not escape <, > and &
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) == nil {
			forms[strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")] = true
		}
	}
	return forms
}
