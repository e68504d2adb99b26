// Package answer writes whole answers, the API's and the pages' alike: each has an ETag,
// so that one that has not changed is not sent again.
package answer

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// Write answers with a body. One that the client has already, as If-None-Match says, is
// not sent.
func Write(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	if status == http.StatusOK && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		// Weak, as the same answer may be compressed or not; kept by the client alone, which asks each time.
		h.Set("ETag", "W/"+tag)
		h.Set("Cache-Control", "private, no-cache")
		if matches(r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// matches reports whether a list of ETags has one, compared weakly, or is *.
func matches(lists []string, tag string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
