package lcssim

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An authCode is what the authorize page hands to an app.
type authCode struct {
	session
	redirect, challenge string
	ends                time.Time
	used                bool
}

// SignInAs says who sits at the browser, MFA passed; with "" it is nobody, and the
// authorize page shows its sign-in form to no end.
func (e *Entra) SignInAs(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.browser = user
}

// authorize is the page that a browser opens for an app. What is wrong with the app
// or its address is shown there; the rest is reported to the app.
func (e *Entra) authorize(r entraRequest) reply {
	get := r.form.Get
	switch failure := e.app(get("client_id")); {
	case get("client_id") == "":
		return errorPage(900144, "the request has no client_id")
	case failure != nil:
		return errorPage(failure.AADSTS, "the app is not registered")
	case !local(get("redirect_uri")):
		return errorPage(50011, "the redirect_uri is not one of a public client")
	case get("response_type") != "code":
		return refuseAuthorize(r, &EntraFailure{Code: "unsupported_response_type", AADSTS: 700054})
	case get("scope") == "", get("code_challenge") == "", get("code_challenge_method") != "S256":
		return refuseAuthorize(r, &InvalidRequest)
	case !slices.Contains([]string{"", "query", "form_post"}, get("response_mode")):
		return refuseAuthorize(r, &InvalidRequest)
	case e.browser == "":
		return text(http.StatusOK, "text/html", "<html><body>Sign in to your account</body></html>")
	}
	code := e.secret("code")
	e.codes[code] = &authCode{
		session:  session{user: e.browser, client: get("client_id"), grant: "authorization_code", mfa: true, scope: get("scope")},
		redirect: get("redirect_uri"), challenge: get("code_challenge"), ends: r.now.Add(authCodeLifetime),
	}
	return redirect(r, url.Values{"code": {code}, "session_state": {e.sim.activityID()}})
}

// local reports whether an address is one that a public client may be called back at:
// this machine, any port.
func local(redirect string) bool {
	u, err := url.Parse(redirect)
	return err == nil && u.Scheme == "http" && u.Hostname() == "localhost"
}

func refuseAuthorize(r entraRequest, f *EntraFailure) reply {
	if !local(r.form.Get("redirect_uri")) {
		return errorPage(f.AADSTS, "the redirect_uri is not one of a public client")
	}
	return redirect(r, url.Values{"error": {f.Code}, "error_description": {fmt.Sprintf("AADSTS%d: simulated.", f.AADSTS)}})
}

func errorPage(aadsts int, message string) reply {
	return text(http.StatusBadRequest, "text/html", fmt.Sprintf("<html><body>AADSTS%d: %s</body></html>", aadsts, message))
}

// redirect sends the browser back to the app, with a form that submits itself or with a
// redirect.
func redirect(r entraRequest, values url.Values) reply {
	if state := r.form.Get("state"); state != "" {
		values.Set("state", state)
	}
	redirect := r.form.Get("redirect_uri")
	if r.form.Get("response_mode") != "form_post" {
		out := text(http.StatusFound, "text/html", "")
		out.header.Set("Location", redirect+"?"+values.Encode())
		return out
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="%s">`, html.EscapeString(redirect))
	for name, v := range values {
		fmt.Fprintf(&b, `<input type="hidden" name="%s" value="%s" />`, html.EscapeString(name), html.EscapeString(v[0]))
	}
	b.WriteString(`<noscript><input type="submit" value="Submit" /></noscript></form><script>window.setTimeout('document.forms[0].submit()', 0);</script></body></html>`)
	return text(http.StatusOK, "text/html", b.String())
}

var (
	formAction = regexp.MustCompile(`<form method="POST"[^>]* action="([^"]*)"`)
	formInput  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// Browse does what a browser does with the address of an authorize page: it opens
// it with do, and sends the form that it finds there to the app on this machine.
func Browse(do func(*http.Request) (*http.Response, error), address string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("open the authorize page: %w", err)
	}
	page, err := pageOf(do, req)
	if err != nil {
		return err
	}
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		return errors.New("the page holds no form: " + page)
	}
	form := url.Values{}
	for _, input := range formInput.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	post, err := http.NewRequestWithContext(context.Background(), http.MethodPost, html.UnescapeString(action[1]), strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("send the form: %w", err)
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = pageOf((&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do, post)
	return err
}

// Browse opens an authorize page of this Entra in memory; it is what MSAL's
// WithOpenURL wants.
func (e *Entra) Browse(address string) error { return Browse(e.Do, address) }

func pageOf(do func(*http.Request) (*http.Response, error), req *http.Request) (string, error) {
	res, err := do(req)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", req.Method, req.URL.Host, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", req.Method, req.URL.Host, err)
	}
	return string(b), nil
}
