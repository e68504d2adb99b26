package lcssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Leaks tells which places show which secrets: as they are, or as they look in an
// address, in JSON or in base64. It names a secret by its first letters.
func Leaks(places map[string]string, secrets []string) []string {
	var found []string
	for _, secret := range secrets {
		if len(secret) < 8 {
			found = append(found, fmt.Sprintf("%q is too short to be looked for", secret))
			continue
		}
		forms := map[string]bool{secret: true, url.QueryEscape(secret): true, url.PathEscape(secret): true}
		if j, err := json.Marshal(secret); err == nil {
			forms[strings.Trim(string(j), `"`)] = true
		}
		forms[base64.RawStdEncoding.EncodeToString([]byte(secret))] = true
		forms[base64.RawURLEncoding.EncodeToString([]byte(secret))] = true
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
