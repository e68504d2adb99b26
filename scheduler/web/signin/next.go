package signin

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

// maxNext bounds the address to go on to.
const maxNext = 2000

// localPath returns the address to go on to after sign-in: a path of this host, with its
// query. ok is false for anything that a browser or a proxy could read as another host: a
// scheme, two slashes, a backslash, a control character, also where they are encoded, once
// or several times.
func localPath(next string) (local string, ok bool) {
	if next == "" {
		return "/", true
	}
	if len(next) > maxNext || next[0] != '/' {
		return "", false
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if strings.ContainsFunc(u.RawQuery, oddRune) {
		return "", false
	}
	for plain := u.EscapedPath(); ; {
		if !isPlainPath(plain) {
			return "", false
		}
		decoded, err := url.PathUnescape(plain)
		if err != nil {
			return "", false
		}
		if decoded == plain {
			break
		}
		plain = decoded
	}
	if u.Path == "/login" || strings.HasPrefix(u.Path, "/login/") || u.Path == "/logout" {
		return "/", true // it would begin again
	}
	return u.RequestURI(), true
}

// isPlainPath reports whether a path has one slash at a time, nothing that leads upwards, and
// no character that is read in different ways.
func isPlainPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.ContainsFunc(p, oddRune) {
		return false
	}
	return path.Clean(p) == p || path.Clean(p)+"/" == p
}

func oddRune(r rune) bool { return r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar }
