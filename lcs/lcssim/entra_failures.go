package lcssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// An EntraFailure is answered in place of what was asked for. Its zero fields say
// nothing: {Status: 502, Body: "<html>"} is a page.
type EntraFailure struct {
	At         Endpoint // where it strikes; token requests when not set
	Grant      string   // only this grant_type; any when ""
	Status     int
	Code       string // OAuth error; "" answers Body as it is
	Suberror   string
	AADSTS     int // Entra's own number, for people
	Body       string
	RetryAfter string // header, in seconds
	Drop       bool   // the connection ends without an answer
	Garbled    bool   // tokens are issued, in an answer that cannot be decoded
	Times      int    // how often, 0 without end
}

// The failures that LCS users meet, by their causes. Those of a refresh token or a
// code an Entra answers by itself, when they are so.
var (
	BadPassword       = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50126}
	NoSuchUser        = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50034}
	AccountLocked     = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50053}
	AccountDisabled   = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50057}
	PasswordExpired   = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "user_password_expired", AADSTS: 50055}
	MFARequired       = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "basic_action", AADSTS: 50076}
	MFASetup          = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "basic_action", AADSTS: 50079}
	ConditionalAccess = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "message_only", AADSTS: 53003}
	NeedsInteraction  = EntraFailure{Status: 400, Code: "interaction_required", Suberror: "basic_action", AADSTS: 50158}
	NoConsent         = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "consent_required", AADSTS: 65001}
	RefreshExpired    = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "token_expired", AADSTS: 700082}
	RefreshRevoked    = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "bad_token", AADSTS: 50173}
	BadGrant          = EntraFailure{Status: 400, Code: "invalid_grant", Suberror: "bad_token", AADSTS: 70000}

	NotPublic       = EntraFailure{Status: 401, Code: "invalid_client", AADSTS: 7000218}
	NoSuchApp       = EntraFailure{Status: 400, Code: "unauthorized_client", AADSTS: 700016}
	NoSuchResource  = EntraFailure{Status: 400, Code: "invalid_resource", AADSTS: 500011}
	InvalidScope    = EntraFailure{Status: 400, Code: "invalid_scope", AADSTS: 70011}
	InvalidRequest  = EntraFailure{Status: 400, Code: "invalid_request", AADSTS: 900144}
	InvalidInstance = EntraFailure{Status: 400, Code: "invalid_instance", AADSTS: 50049}
	NoSuchTenant    = EntraFailure{At: AtDiscovery, Status: 400, Code: "invalid_tenant", AADSTS: 90002}

	CodePending  = EntraFailure{Grant: "device_code", Status: 400, Code: "authorization_pending", AADSTS: 70016}
	SlowDown     = EntraFailure{Grant: "device_code", Status: 400, Code: "slow_down", AADSTS: 70016}
	CodeDeclined = EntraFailure{Grant: "device_code", Status: 400, Code: "authorization_declined", AADSTS: 70017}
	CodeExpired  = EntraFailure{Grant: "device_code", Status: 400, Code: "expired_token", AADSTS: 70020}
	CodeUsed     = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 54005}
	CodeTooOld   = EntraFailure{Grant: "authorization_code", Status: 400, Code: "invalid_grant", AADSTS: 70008}
	BadVerifier  = EntraFailure{Grant: "authorization_code", Status: 400, Code: "invalid_grant", AADSTS: 501481}
	AccessDenied = EntraFailure{At: AtAuthorize, Code: "access_denied", AADSTS: 65004} // the person at the browser says no

	Unavailable     = EntraFailure{Status: 503, Code: "temporarily_unavailable", AADSTS: 90033}
	SignInThrottled = EntraFailure{Status: 429, Code: "temporarily_unavailable", AADSTS: 90055, RetryAfter: "17"}
	ServerError     = EntraFailure{Status: 500, Code: "server_error", AADSTS: 90006}
	GatewayPage     = EntraFailure{Status: 502, Body: "<html><body><h1>Bad gateway</h1></body></html>"}
	SignInPage      = EntraFailure{Status: 200, Body: "<html><body>Sign in to your account</body></html>"}
	Undecodable     = EntraFailure{Garbled: true}
	Dropped         = EntraFailure{Drop: true}
)

// Fail answers failures in place of what is asked for.
func (e *Entra) Fail(f EntraFailure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = append(e.failures, f)
}

// Recover ends every failure.
func (e *Entra) Recover() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = nil
}

// strike returns the active failure for a request, and counts it.
func (e *Entra) strike(at Endpoint, grant string) *EntraFailure {
	for i := range e.failures {
		f := e.failures[i]
		if f.At != at || f.Grant != "" && f.Grant != plainGrant(grant) {
			continue
		}
		if f.Times > 0 {
			if e.failures[i].Times--; e.failures[i].Times == 0 {
				e.failures = append(e.failures[:i:i], e.failures[i+1:]...)
			}
		}
		return &f
	}
	return nil
}

func (f *EntraFailure) reply(now time.Time) reply {
	out := reply{reset: f.Drop}
	switch at := now.UTC().Format("2006-01-02 15:04:05Z"); {
	case f.Drop:
		return out
	case f.Code == "" && strings.HasPrefix(f.Body, "<"):
		out = text(f.Status, "text/html", f.Body)
	case f.Code == "":
		out = text(f.Status, "application/json", f.Body)
	default:
		fields := map[string]any{
			"error": f.Code, "error_codes": []int{f.AADSTS}, "timestamp": at, "trace_id": "0", "correlation_id": "0",
			"error_description": fmt.Sprintf("AADSTS%d: simulated. Trace ID: 0 Correlation ID: 0 Timestamp: %s", f.AADSTS, at),
		}
		if f.Suberror != "" {
			fields["suberror"] = f.Suberror
		}
		out = jsonReply(f.Status, fields)
	}
	if f.RetryAfter != "" {
		out.header.Set("Retry-After", f.RetryAfter)
	}
	return out
}

// garbled spoils an answer that holds tokens: a number becomes an object.
func garbled(out reply) reply {
	var fields map[string]any
	if out.status != http.StatusOK || json.Unmarshal(out.body, &fields) != nil {
		return out
	}
	fields["expires_in"], fields["expires_on"] = map[string]any{}, map[string]any{}
	return jsonReply(out.status, fields)
}
