package auth

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Kind says who can correct a failed sign-in.
type Kind string

// The kinds of failure, distinguished by the OAuth error field and the HTTP status.
const (
	Transient     Kind = "transient"      // Entra is unavailable; it is tried again by itself
	NeedsPerson   Kind = "needs a person" // the password, MFA, or a locked account
	Configuration Kind = "configuration"  // the app registration or the schedule file
)

// An Error is a failed sign-in. It never holds the answer of the token endpoint,
// which can contain tokens.
type Error struct {
	Account string
	Kind    Kind
	Code    string // OAuth error, such as invalid_grant
	Number  string // Entra's own, such as AADSTS50126, for people to look up
	Message string

	mode       string
	todo       string        // what to do, where the kind and the mode do not say it; "-" when Message does
	revision   string        // of what was signed in with
	retryAfter time.Duration // as long as the host asks
	next       time.Time
}

// Error says what failed and who must do what.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sign in account %s: %s", e.Account, e.Message)
	if what := meanings()[e.Number]; what != "" {
		fmt.Fprintf(&b, " (%s)", what)
	}
	if todo := cmp.Or(e.todo, e.remedy()); todo != "-" {
		b.WriteString("; ")
		b.WriteString(todo)
	}
	return b.String()
}

// ForPerson is the same failure for somebody who has asked for it once: nothing
// tries again by itself.
func (e *Error) ForPerson() *Error {
	shown := *e
	if shown.Kind == Transient && shown.todo == "" {
		shown.todo = "try again in a moment"
	}
	return &shown
}

// OneScope reports whether Entra refused one LCS endpoint, which says nothing of the
// account at others.
func (e *Error) OneScope() bool { return e.Code == "invalid_resource" || e.Code == "invalid_scope" }

// remedy is what to do next, by mode: each has its own way back.
func (e *Error) remedy() string {
	switch {
	case e.Kind == Transient:
		return "it is tried again"
	case e.Kind == NeedsPerson && e.mode == ModeDelegated:
		return "run: curfew login " + e.Account
	case e.Kind == NeedsPerson:
		return "check the user name and password, that the account has no MFA and is not locked"
	case e.OneScope():
		return "check the project's region and scope"
	default:
		return "check client_id and tenant, that the app allows public client flows and has consent for Dynamics Lifecycle services"
	}
}

// NextTry is when the credential may be asked again: it refuses before that.
func (e *Error) NextTry() time.Time { return e.next }

// Revision is the Credential's Revision at the attempt that failed.
func (e *Error) Revision() string { return e.revision }

var (
	// aadsts is Entra's own number; the rest of a description is not repeated.
	aadsts    = regexp.MustCompile(`AADSTS\d+`)
	plainCode = regexp.MustCompile(`^[a-z_]{1,40}$`)
)

func kindOf(status int, code string) Kind {
	switch {
	case code == "temporarily_unavailable", status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return Transient
	case code == "":
		return Transient // a proxy's page, say
	case code == "invalid_grant", code == "interaction_required":
		return NeedsPerson
	default:
		return Configuration
	}
}

// meanings says in words what Entra's numbers mean, as far as LCS users are known
// to meet them. Nothing is decided by them: they come and go.
func meanings() map[string]string {
	return map[string]string{
		"AADSTS50034":   "no such user in this tenant",
		"AADSTS50053":   "the account is locked after too many bad passwords, or its address is blocked",
		"AADSTS50055":   "the password has expired",
		"AADSTS50057":   "the account is disabled",
		"AADSTS50076":   "MFA is required: use mode delegated",
		"AADSTS50079":   "the user must register for MFA: use mode delegated",
		"AADSTS50126":   "wrong user name or password",
		"AADSTS50173":   "the login was revoked, or the password was changed since",
		"AADSTS53003":   "blocked by Conditional Access; device code may be blocked: try --browser",
		"AADSTS65001":   "the app has no consent for Dynamics Lifecycle services",
		"AADSTS70008":   "the login has expired",
		"AADSTS70043":   "the login has expired by a sign-in frequency policy of Conditional Access",
		"AADSTS700016":  "no app with this client_id in the tenant",
		"AADSTS700082":  "the login has expired: it was not used for 90 days",
		"AADSTS7000218": "the app does not allow public client flows",
		"AADSTS7000112": "the app is disabled",
		"AADSTS90002":   "no such tenant",
		"AADSTS500011":  "the tenant does not know this LCS endpoint: check the region and scope",
	}
}

// Explained lists Entra's numbers that an Error explains in words.
func Explained() []string { return slices.Sorted(maps.Keys(meanings())) }
