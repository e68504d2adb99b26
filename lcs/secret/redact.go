package secret

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

const (
	shortestHidden = 8   // characters: what is shorter stands in ordinary words
	mostHidden     = 512 // live secrets; the ones that were hidden first are forgotten first
)

// live are the secrets that this process uses. There is one list for the whole process,
// since a peer can repeat any of them where no part of the program expects it.
var live registry

type registry struct {
	mu    sync.Mutex // guards texts; written by Hide
	texts []string   // the oldest first
	forms atomic.Pointer[strings.Replacer]
}

// Hide has Redact replace texts, in each form in which a peer may repeat them.
func Hide(texts ...string) {
	for _, text := range texts {
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
			live.add(line)
		}
	}
}

func (l *registry) add(text string) {
	if len(text) < shortestHidden {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.texts, text) {
		return
	}
	if l.texts = append(l.texts, text); len(l.texts) > mostHidden {
		l.texts = slices.Delete(l.texts, 0, len(l.texts)-mostHidden)
	}
	var all []string
	for _, text := range l.texts {
		all = append(all, formsOf(text)...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }) // the longest that fits is replaced
	var pairs []string
	for _, form := range slices.Compact(all) {
		pairs = append(pairs, form, redacted)
	}
	l.forms.Store(strings.NewReplacer(pairs...))
}

// formsOf are a text as it is, in addresses, in JSON and in base64.
func formsOf(text string) []string {
	forms := []string{text, url.QueryEscape(text), url.PathEscape(text)}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(text) == nil {
			forms = append(forms, strings.Trim(b.String(), "\"\n"))
		}
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, inBase64(e, text)...)
	}
	return slices.DeleteFunc(forms, func(form string) bool { return len(form) < shortestHidden })
}

// inBase64 is what base64 makes of a text whatever stands before and after it: three
// characters are written as four, so that there are three ways.
func inBase64(e *base64.Encoding, text string) []string {
	var forms []string
	for before, from := range []int{0, 2, 3} {
		whole := e.EncodeToString([]byte(strings.Repeat("-", before) + text))
		forms = append(forms, whole[from:(before+len(text))*8/6])
	}
	return forms
}

// Redact returns a text of a peer, or one that may hold such a text, without credentials:
// the live secrets, and whatever has the shape of one.
func Redact(text string) string {
	if forms := live.forms.Load(); forms != nil && len(text) >= shortestHidden {
		text = forms.Replace(text)
	}
	if !strings.ContainsAny(text, " \t\r\n:=<>%+") && !strings.Contains(text, "eyJ") {
		return text // no shape is without one of these
	}
	lower := strings.ToLower(text)
	for _, s := range shapes {
		if slices.ContainsFunc(s.signs, func(sign string) bool { return strings.Contains(lower, sign) }) {
			text = s.redact(text)
		}
	}
	return text
}

// A shape is one form of credentials. Texts without any of its signs, in lower case, have none.
type shape struct {
	signs  []string
	redact func(string) string
}

// The names under which credentials are sent.
const (
	names   = `[\w.-]*(?:password|passwd|pwd|secret|token|assertion|signature|api[_-]?key|accountkey|accesskey)|sig|sas`
	headers = `(?:proxy-)?authorization|x-api-key|x-auth-token`
	schemes = `bearer|basic|negotiate|digest|ntlm`
)

var shapes = []shape{
	// A header: all of a cookie, of the others the scheme stays.
	replacing(`(?i)\b((?:set-)?cookie\\*["']?\s*:[\s\[]*\\*["']?)[^"'\\<>\r\n]+`, `${1}`+redacted, "cookie"),
	replacing(`(?i)\b((?:`+headers+`)\\*["']?\s*[:=][\s\[]*\\*["']?(?:(?:`+schemes+`)\s+)?)[^\s"'\\,;<>]+`, `${1}`+redacted, "authorization", "x-api-key", "x-auth-token"),
	{[]string{"bearer", "basic", "negotiate"}, redactScheme},
	replacing(`\beyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*`, redacted, "eyj"), // a JSON web token
	{[]string{":/"}, redactUser},
	// NAME=VALUE of an address or a connection string, "NAME": "VALUE" of JSON, <NAME>VALUE of XML.
	replacing(`(?i)\b((?:`+names+`)\s*=\s*)(?:'[^']*'|\\*"[^"\\]*\\*"|[^\s&"'<>\\,;)]+)`, `${1}`+redacted, "="),
	replacing(`(?i)([?&](?:code|key)=)[^\s&"'<>\\,;)]+`, `${1}`+redacted, "code=", "key="),
	replacing(`(?i)(["'](?:`+names+`)\\*["']\s*:\s*\\*["'])[^"'\\]+`, `${1}`+redacted, `":`, `" :`, `':`, `' :`),
	replacing(`(?i)(<(?:[\w.-]+:)?(?:`+names+`)(?:\s[^<>]*)?>)[^<]+`, `${1}`+redacted, "<"),
}

func replacing(pattern, with string, signs ...string) shape {
	re := regexp.MustCompile(pattern)
	return shape{signs, func(s string) string { return re.ReplaceAllString(s, with) }}
}

var ofScheme = regexp.MustCompile(`(?i)\b(bearer|basic|negotiate)((?:\s|%20|\+)+)([A-Za-z0-9._~+/=-]{6,})`)

// redactScheme replaces what follows a scheme, unless it is an ordinary word.
func redactScheme(s string) string {
	return ofScheme.ReplaceAllStringFunc(s, func(found string) string {
		m := ofScheme.FindStringSubmatch(found)
		ordinary := len(m[3]) < 20 && !strings.ContainsFunc(m[3][1:], func(r rune) bool { return !unicode.IsLower(r) && r != '.' })
		if ordinary {
			return found
		}
		return m[1] + m[2] + redacted
	})
}

var userInfo = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]+:/{1,2})([^\s"'<>\\]*)@`)

// placeholder is what messages write for a user and a password.
const placeholder = "USER:PASSWORD"

// redactUser replaces what stands before the last @ of an address, a password with a slash
// or another @ included. What is redacted already stays.
func redactUser(s string) string {
	return userInfo.ReplaceAllStringFunc(s, func(found string) string {
		m := userInfo.FindStringSubmatch(found)
		user, password, _ := strings.Cut(m[2], ":")
		if password == redacted && !strings.Contains(user, "@") || m[2] == placeholder {
			return found
		}
		return m[1] + redacted + "@"
	})
}
