package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"curfew/lcs/remote"
	"curfew/lcs/secret"
)

// A provider is one whose document has been read.
type provider struct {
	*oidc.Provider
	endpoint oauth2.Endpoint
	scopes   []string
	read     time.Time
}

// providers reads the document of a provider when somebody signs in, and keeps it. One that
// is down is asked again by the next sign-in.
type providers struct {
	client *http.Client
	flight singleflight.Group

	mu    sync.Mutex // guards known
	known map[string]*provider
}

func newProviders() *providers {
	return &providers{
		client: &http.Client{
			Timeout: callTimeout,
			// The secret of the application and the code go to the address that the provider's
			// document names, and nowhere else.
			CheckRedirect: func(req *http.Request, via []*http.Request) error {
				if via[0].Method != http.MethodGet || len(via) > 5 || !isSafe(req.URL.String()) {
					return http.ErrUseLastResponse
				}
				return nil
			},
		},
		known: map[string]*provider{},
	}
}

// get returns the provider of an issuer.
func (p *providers) get(ctx context.Context, issuer string) (*provider, error) {
	p.mu.Lock()
	known := p.known[issuer]
	p.mu.Unlock()
	if known != nil && time.Since(known.read) < discovered {
		return known, nil
	}
	found, err, _ := p.flight.Do(issuer, func() (any, error) {
		return p.discover(context.WithoutCancel(ctx), issuer)
	})
	switch {
	case err != nil && known != nil:
		return known, nil // what was read a day ago is still good
	case err != nil:
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = map[string]*provider{issuer: found.(*provider)}
	return found.(*provider), nil
}

// discover reads the document of an issuer.
func (p *providers) discover(ctx context.Context, issuer string) (*provider, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), callTimeout)
	defer cancel()
	found, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, unavailable(issuer, err)
	}
	var document struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Scopes  []string `json:"scopes_supported"`
		Keys    string   `json:"jwks_uri"`
	}
	if err := found.Claims(&document); err != nil {
		return nil, unavailable(issuer, errors.New("its document cannot be read"))
	}
	out := &provider{Provider: found, endpoint: found.Endpoint(), scopes: []string{oidc.ScopeOpenID, "profile", "email"}, read: time.Now()}
	for _, address := range []string{out.endpoint.AuthURL, out.endpoint.TokenURL, document.Keys} {
		if !isSafe(address) {
			return nil, unavailable(issuer, fmt.Errorf("its document names the address %q, which is neither https nor on a loopback address", address))
		}
	}
	out.endpoint.AuthStyle = oauth2.AuthStyleInHeader // what a document means that does not say
	if slices.Contains(document.Methods, "client_secret_post") {
		out.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	if slices.Contains(document.Scopes, "groups") { // Entra takes no such scope, others send no groups without
		out.scopes = append(out.scopes, "groups")
	}
	return out, nil
}

// unavailable is the failure of a provider whose document cannot be had.
func unavailable(issuer string, err error) error {
	next := "Try again in a moment. If it stays so, check that the daemon reaches " + issuer + "/.well-known/openid-configuration, and issuer in the access section of the schedule file. The API token works all the same."
	if e, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		next = fmt.Sprintf("Write issuer in the access section of the schedule file as the provider does: %s.", e.Discovered)
		err = fmt.Errorf("the provider calls itself %q, and the schedule file has %q", e.Discovered, e.Provided)
	}
	return &failure{http.StatusServiceUnavailable, "The sign-in provider does not answer as it should", next, fmt.Errorf("read the document of %s: %w", issuer, plainError(err))}
}

// plainError is an error without the address that was asked for, and without what the peer
// answered, which may repeat a secret.
func plainError(err error) error {
	if fault := remote.CertificateFault(err); fault != "" {
		return errors.New(fault)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return errors.New(secret.Redact(e.Err.Error()))
	}
	text := secret.Redact(err.Error())
	if status, _, ok := strings.Cut(text, ": "); ok && len(status) > 3 && status[0] >= '1' && status[0] <= '5' {
		return errors.New("it answered " + status)
	}
	return errors.New(text)
}

// isSafe reports whether secrets may be sent to an address, its query aside.
func isSafe(address string) bool {
	base, _, _ := strings.Cut(address, "?")
	_, fault := remote.Address(base)
	return fault == ""
}
