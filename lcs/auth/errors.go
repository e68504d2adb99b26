package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// A Kind says who can mend a failed sign-in.
type Kind string

// The kinds of failure, told apart by the OAuth error field and the HTTP status.
const (
	Transient     Kind = "transient"      // Entra is away; it is tried again by itself
	NeedsPerson   Kind = "needs a person" // the password, MFA, or a locked account
	Configuration Kind = "configuration"  // the app registration or the schedule file
)

// An Error is a failed sign-in. It never holds the answer of the token endpoint,
// which can contain tokens.
type Error struct {
	Account string
	Kind    Kind
	Code    string // OAuth error, such as invalid_grant
	Message string
	next    time.Time
}

// Error says what failed and who must do what.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sign in account %s: %s", e.Account, e.Message)
	switch e.Kind {
	case NeedsPerson:
		b.WriteString("; check the user name and password, that the account has no MFA and is not locked")
	case Configuration:
		b.WriteString("; check client_id and tenant, that the app allows public client flows and has consent for Dynamics Lifecycle services")
	case Transient:
		b.WriteString("; it is tried again")
	}
	return b.String()
}

// NextTry is when the credential may be asked again: it refuses before that.
func (e *Error) NextTry() time.Time { return e.next }

// oauth is what the token endpoint says of a failure.
type oauth struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// aadsts is Entra's own number, which people look up; the rest of a description
// is not repeated.
var aadsts = regexp.MustCompile(`AADSTS\d+`)

// classify reads a credential's error without repeating its text: that can be
// the whole answer, tokens included.
func classify(account string, err error) *Error {
	e := &Error{Account: account, Kind: Transient, Message: "no answer from the sign-in host"}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil {
		return e
	}
	status := failed.RawResponse.StatusCode
	e.Message = fmt.Sprintf("the sign-in host answered %d", status)
	var o oauth
	if body, err := runtime.Payload(failed.RawResponse); err == nil {
		if json.Unmarshal(body, &o) != nil {
			o = oauth{}
		}
	}
	if plainCode.MatchString(o.Code) {
		e.Code = o.Code
		e.Message = strings.TrimSpace(fmt.Sprintf("Entra answered %s %s", o.Code, aadsts.FindString(o.Description)))
	}
	e.Kind = kindOf(status, e.Code)
	return e
}

var plainCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

func kindOf(status int, code string) Kind {
	switch {
	case code == "temporarily_unavailable", status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return Transient
	case code == "invalid_grant", code == "interaction_required":
		return NeedsPerson
	case status == http.StatusOK: // an answer that cannot be read: a proxy's page, say
		return Transient
	default:
		return Configuration
	}
}
