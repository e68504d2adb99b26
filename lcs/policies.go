package lcs

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// An attempt is one call on its way through the policies. Azcore's retry policy
// puts the end of a context in place of what really happened, so that what must
// be known afterwards is noted here.
type attempt struct {
	call Call
	sent atomic.Bool // some request of it may have left
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

func attemptOf(req *policy.Request) *attempt {
	a, ok := req.Raw().Context().Value(attemptKey{}).(*attempt)
	if !ok {
		return &attempt{}
	}
	return a
}

// limitPolicy asks the Limiter before each request that is sent, retries included.
type limitPolicy struct{ limiter Limiter }

func (p *limitPolicy) Do(req *policy.Request) (*http.Response, error) {
	if p.limiter != nil {
		if err := p.limiter.Wait(req.Raw().Context(), attemptOf(req).call); err != nil {
			return nil, &Error{Kind: NotSent, cause: err}
		}
	}
	return req.Next()
}

// timeoutPolicy ends a request that gets no answer in time. It comes after the
// limiter, whose wait is no fault of LCS.
type timeoutPolicy struct{ timeout time.Duration }

func (p *timeoutPolicy) Do(req *policy.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Raw().Context(), p.timeout)
	req = req.Clone(ctx)
	// On a connection that was used before, net/http sends a GET a second time when
	// the first gets no answer: LCS would count a call that nobody here knows of.
	req.Raw().Close = true
	resp, err := req.Next()
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &boundBody{resp.Body, cancel}
	return resp, nil
}

// A boundBody lasts as long as its request's time.
type boundBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request.
func (b *boundBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// bearer signs requests. After a 401, which LCS did not carry out, it asks once
// for a fresh token: the credential's cache would hand out the same one.
type bearer struct {
	cred  azcore.TokenCredential
	scope string
}

const freshToken = "{}" // any claims make the credential bypass its cache

func (p *bearer) Do(req *policy.Request) (*http.Response, error) {
	resp, err := p.signed(req, "")
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
	return p.signed(req.Clone(req.Raw().Context()), freshToken)
}

func (p *bearer) signed(req *policy.Request, claims string) (*http.Response, error) {
	token, err := p.cred.GetToken(req.Raw().Context(), policy.TokenRequestOptions{Scopes: []string{p.scope}, Claims: claims})
	if err != nil {
		return nil, &Error{Kind: NotSent, cause: err}
	}
	req.Raw().Header.Set("Authorization", "Bearer "+token.Token)
	attemptOf(req).sent.Store(true)
	return req.Next()
}
