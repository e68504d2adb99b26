package notify

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"curfew/lcs/secret"
)

const (
	hidden       = "REDACTED"
	mostReason   = 400 // characters of what a receiver answered
	shortestPart = 4   // a part of a URL that is shorter hides nothing, and is found in words
)

var addresses = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`)

// open are the parameters of URLs that are no secrets.
var open = map[string]bool{
	"template": true, "disabletls": true, "title": true, "auth": true, "encryption": true, "usestarttls": true, "usehtml": true, "api-version": true, "sp": true, "sv": true, "priority": true,
	"method": true, "contenttype": true, "messagekey": true, "titlekey": true, "requestmethod": true,
}

// redact writes an error of a library in one line, without credentials, and without anything
// of the receiver's URL but its scheme and host: whatever is in it can be a secret, and errors
// hold it whole or in parts, as they are or in another URL.
func redact(err error, raw string) string {
	text := addresses.ReplaceAllStringFunc(err.Error(), func(found string) string {
		u, perr := url.Parse(found)
		if perr != nil || u.Host == "" {
			return hidden
		}
		if u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" {
			return found
		}
		return u.Scheme + "://" + u.Host + "/" + hidden
	})
	for _, part := range secretParts(raw) {
		text = strings.ReplaceAll(text, part, hidden)
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(secret.Redact(text), "")), " ")
	return cut(text, mostReason)
}

// secretParts are the parts of a URL that can be secrets, as they are and unescaped,
// longest first.
func secretParts(raw string) []string {
	var parts []string
	add := func(s string) {
		for _, form := range []string{s, unescaped(s), url.QueryEscape(s), url.PathEscape(s)} {
			if len(form) >= shortestPart && !slices.Contains(parts, form) {
				parts = append(parts, form)
			}
		}
	}
	add(raw)
	scheme, rest, _ := strings.Cut(raw, "://")
	rest, fragment, _ := strings.Cut(rest, "#")
	add(fragment)
	rest, query, _ := strings.Cut(rest, "?")
	add(query)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !open[strings.ToLower(name)] && (scheme != "smtp" || !addressKey(name)) {
			add(value)
		}
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		add(authority[:at])
		for _, piece := range pieces(authority[:at]) {
			add(piece)
		}
		if !hostIsPublic(scheme) {
			add(authority[at+1:])
		}
	} else if !hostIsPublic(scheme) {
		add(authority)
	}
	add(path)
	for _, segment := range pieces(path) {
		if !ordinary(segment) {
			add(segment)
		}
	}
	slices.SortStableFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return parts
}

// hostIsPublic reports whether what stands in the place of the host is one: in many forms
// of shoutrrr it is part of a token.
func hostIsPublic(scheme string) bool {
	scheme, _, _ = strings.Cut(scheme, "+")
	switch scheme {
	case "https", "http", "smtp", "generic", "ntfy", "gotify", "matrix", "mattermost", "rocketchat", "mqtt", "mqtts", "zulip", "bark":
		return true
	}
	return false
}

// ordinary reports whether a segment of a path is a word that is no secret.
func ordinary(segment string) bool {
	return len(segment) < 12 && !strings.ContainsFunc(segment, unicode.IsDigit) && segment == strings.ToLower(segment)
}

func addressKey(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "from") || strings.HasPrefix(name, "to")
}

func pieces(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/:@-", r) })
}

func unescaped(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	return s
}
