package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/lcs/secret"
)

func TestBadPasswordWhoseFileIsAwayForAMomentIsStillTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		c, file := newCredential(t, e)
		for range 10 {
			write(t, file, "wrong")
			if _, err := c.GetToken(t.Context(), scope); err == nil || !strings.Contains(err.Error(), "AADSTS50126") {
				t.Fatalf("GetToken = %v", err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if _, err := c.GetToken(t.Context(), scope); err == nil {
				t.Fatal("without its file it gave a token")
			}
			time.Sleep(time.Minute)
		}
		if e.Asked() != 1 {
			t.Errorf("the bad password was tried %d times in 10 minutes, want once", e.Asked())
		}
	})
}

func TestEndpointThatEntraRefusesLeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		c, _ := newCredential(t, e)
		e.Fail(lcssim.EntraFailure{Status: 400, Code: "invalid_resource", AADSTS: 500011, Times: 1})
		other := policy.TokenRequestOptions{Scopes: []string{"https://lcsapi.fr.lcs.dynamics.com//.default"}}
		for range 2 {
			_, err := c.GetToken(t.Context(), other)
			var failed *auth.Error
			if !errors.As(err, &failed) || !failed.OneScope() || !strings.Contains(err.Error(), "check the project's region and scope") {
				t.Errorf("GetToken for the refused endpoint = %v", err)
			}
		}
		if _, err := c.GetToken(t.Context(), scope); err != nil {
			t.Errorf("GetToken for another endpoint = %v", err)
		}
		if e.Asked() != 2 {
			t.Errorf("Entra was asked %d times, want once for each endpoint", e.Asked())
		}
	})
}

// A domain has users whose password its own server checks: AD FS.
type domain struct {
	*lcssim.Entra
	realm  string // the kind that Entra says the user is of
	status int    // of AD FS
	posts  int    // passwords sent to it
}

func (d *domain) Do(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	switch {
	case strings.Contains(r.URL.Path, "UserRealm"):
		return answer(http.StatusOK, fmt.Sprintf(`{"ver":"1.0","account_type":%q,"domain_name":"contoso.com","federation_protocol":"WSTrust",`+
			`"federation_metadata_url":"https://adfs.contoso.com/mex","cloud_instance_name":"microsoftonline.com","cloud_audience_urn":"urn:federation:MicrosoftOnline"}`, d.realm))
	case strings.HasSuffix(r.URL.Path, "/mex"):
		return answer(http.StatusOK, mex)
	case r.URL.Hostname() == "adfs.contoso.com":
		d.posts++
		return answer(d.status, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault/></s:Body></s:Envelope>`)
	}
	return d.Entra.Do(r)
}

// mex is as little of what AD FS says of itself as MSAL takes.
const mex = `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"
 xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
 xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:wsa10="http://www.w3.org/2005/08/addressing" xmlns:tns="http://tns">
<wsp:Policy wsu:Id="UserNameWSTrustBinding_IWSTrust13Async_policy"><wsp:ExactlyOne><wsp:All><sp:TransportBinding xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"><wsp:Policy/></sp:TransportBinding><sp:SignedEncryptedSupportingTokens><wsp:Policy>
<sp:UsernameToken sp:IncludeToken="x"><wsp:Policy><sp:WssUsernameToken10/></wsp:Policy></sp:UsernameToken></wsp:Policy></sp:SignedEncryptedSupportingTokens></wsp:All></wsp:ExactlyOne></wsp:Policy>
<wsdl:binding name="UserNameWSTrustBinding_IWSTrust13Async" type="tns:T"><wsp:PolicyReference URI="#UserNameWSTrustBinding_IWSTrust13Async_policy"/><soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="Issue">
<soap12:operation soapAction="http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue" style="document"/></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="UserNameWSTrustBinding_IWSTrust13Async" binding="tns:UserNameWSTrustBinding_IWSTrust13Async"><soap12:address location="https://adfs.contoso.com/usernamemixed"/>
<wsa10:EndpointReference><wsa10:Address>https://adfs.contoso.com/usernamemixed</wsa10:Address></wsa10:EndpointReference></wsdl:port></wsdl:service></wsdl:definitions>`

func TestPasswordThatTheUsersDomainChecksIsHeldOffAlike(t *testing.T) {
	tests := []struct {
		name   string
		realm  string
		status int
		kind   auth.Kind
		says   string
		posts  int // in an hour
	}{
		{"refused by AD FS", "Federated", 500, auth.NeedsPerson, "adfs.contoso.com, the sign-in server of the user's domain, refused (500)", 2},
		{"refused by AD FS with another status", "Federated", 400, auth.NeedsPerson, "refused (400)", 2},
		{"AD FS is down", "Federated", 503, auth.Transient, "the sign-in host answered 503", 34},
		{"a guest", "Unknown", 0, auth.NeedsPerson, "Entra has no such user with a password", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &domain{Entra: newEntra(), realm: tt.realm, status: tt.status}
				file := filepath.Join(t.TempDir(), "password")
				write(t, file, "wrong")
				c, err := auth.New(auth.Options{
					Account: "main", Mode: auth.ModePassword, Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: "svc@contoso.com",
					Password: secret.Source{File: file}, Authority: "https://login.invalid/", Transport: d,
				})
				if err != nil {
					t.Fatal(err)
				}
				for range 720 {
					_, err = c.GetToken(t.Context(), scope)
					time.Sleep(5 * time.Second)
				}
				var failed *auth.Error
				if !errors.As(err, &failed) || failed.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("GetToken = %v, want %s and %q", err, tt.kind, tt.says)
				}
				if d.posts != tt.posts {
					t.Errorf("the password was sent to the domain's server %d times in an hour, want %d", d.posts, tt.posts)
				}
			})
		})
	}
}

// A silence is a host that never answers, once it is on.
type silence struct {
	*lcssim.Entra
	on bool
}

func (s *silence) Do(r *http.Request) (*http.Response, error) {
	if s.on {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.Entra.Do(r)
}

func TestLoginIsShownWhileASignInHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.mustSignIn(d.credential())
		host := &silence{Entra: d.entra}
		c, err := auth.New(auth.Options{
			Account: "main", Mode: auth.ModeDelegated, Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555",
			Logins: d.logins, Scope: scope.Scopes[0], Authority: "https://login.invalid/", Transport: host,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.works(c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		host.on = true
		done := make(chan error)
		go func() {
			_, err := c.GetToken(t.Context(), scope)
			done <- err
		}()
		synctest.Wait()
		began := time.Now()
		if login, ok, err := c.Login(t.Context()); err != nil || !ok || login.User != person || time.Since(began) > 0 {
			t.Errorf("Login = %+v, %v, %v after %v; want it at once", login, ok, err, time.Since(began))
		}
		if err := <-done; err == nil || time.Since(began) > 31*time.Second {
			t.Errorf("GetToken = %v after %v, want a failure after half a minute", err, time.Since(began))
		}
		began = time.Now()
		_, err = c.SignIn(t.Context(), auth.SignIn{Scope: scope.Scopes[0], Show: func(string) {}})
		if err == nil || time.Since(began) > 31*time.Second || !strings.Contains(err.Error(), "try again in a moment") {
			t.Errorf("SignIn = %v after %v, want a failure after half a minute", err, time.Since(began))
		}
	})
}

func TestPersonIsAskedOnlyWhenTheLoginCanBeKept(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tokens"), "no directory")
	d := newDesk(t)
	d.logins = auth.LoginFiles{Dir: filepath.Join(dir, "tokens")}
	_, err := d.credential().SignIn(t.Context(), auth.SignIn{Scope: scope.Scopes[0], Show: func(string) { t.Error("the person was asked") }})
	if err == nil || !strings.Contains(err.Error(), "as the user that the daemon runs as") {
		t.Errorf("SignIn = %v", err)
	}
}

func TestBrowserNeedsAFreePort(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	d := newDesk(t)
	_, err = d.credential().SignIn(t.Context(), auth.SignIn{Scope: scope.Scopes[0], Browser: true, Port: port, Show: func(string) { t.Error("the person was asked") }})
	if err == nil || !strings.Contains(err.Error(), "choose another --port") {
		t.Errorf("SignIn = %v, want one about the port", err)
	}
}

func TestRevisionIsThatOfTheEntryAndThePersonNotOfTheRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		c := d.credential()
		d.mustSignIn(c)
		revision := func() string {
			t.Helper()
			r, err := c.Revision(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := revision()
		time.Sleep(24 * time.Hour)
		if err := c.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if revision() != first {
			t.Error("a renewal changes the revision")
		}
		d.mustSignIn(d.credential())
		if revision() == first {
			t.Error("another login does not change the revision")
		}
		entry, err := auth.New(auth.Options{Account: "main", Mode: auth.ModeDelegated, Tenant: "contoso", ClientID: "21111111-2222-3333-4444-555555555555", Logins: d.logins, Authority: "https://login.invalid/"})
		if err != nil {
			t.Fatal(err)
		}
		if other, err := entry.Revision(t.Context()); err != nil || other == revision() {
			t.Errorf("another client_id does not change the revision: %v", err)
		}
	})
}
