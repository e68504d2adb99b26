package lcs

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs/secret"
)

// An attempt is one call on its way through the policies. Azcore's retry policy
// puts the end of a context in place of what really happened, so that what must
// be known afterwards is noted here.
type attempt struct {
	call    Call
	dialing atomic.Bool // the current request has no connection yet
	sent    atomic.Bool // some request of it may have left
	// sends counts how often net/http sent the current request.
	sends atomic.Int32
}

// trace notes whether a request got a connection, after the handshakes with a proxy and with
// LCS: before that nothing of it can leave. A transport that is not net/http's says nothing,
// and its requests count as sent.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { a.dialing.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { a.dialing.Store(false); a.sent.Store(true) },
	}
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// attemptIn returns the attempt that a context belongs to, nil for none.
func attemptIn(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// limitPolicy asks the Limiter before each request that is sent, retries included.
type limitPolicy struct{ limiter Limiter }

func (p *limitPolicy) Do(req *policy.Request) (*http.Response, error) {
	if p.limiter != nil {
		if err := p.limiter.Wait(req.Raw().Context(), attemptIn(req.Raw().Context()).call); err != nil {
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
	resp, err := req.WithContext(ctx).Next()
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &timedBody{resp.Body, cancel}
	return resp, nil
}

// A timedBody lasts as long as its request's time.
type timedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request.
func (b *timedBody) Close() error {
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
	secret.Hide(token.Token)
	req.Raw().Header.Set("Authorization", "Bearer "+token.Token)
	a := attemptIn(req.Raw().Context())
	a.sends.Store(0)
	a.dialing.Store(false)
	resp, err := req.WithContext(httptrace.WithClientTrace(req.Raw().Context(), a.trace())).Next()
	if !a.dialing.Load() {
		a.sent.Store(true)
	}
	return resp, err
}

// tracePolicy logs each request at debug level: no headers, no query, no body, and of a
// request without an answer no error, which may quote what a peer sent.
type tracePolicy struct{ log *zap.Logger }

func (p *tracePolicy) Do(req *policy.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := req.Next()
	if entry := p.log.Check(zap.DebugLevel, "LCS request"); entry != nil {
		status := 0 // no answer
		if resp != nil {
			status = resp.StatusCode
		}
		entry.Write(zap.String("method", req.Raw().Method), zap.String("path", req.Raw().URL.Path), zap.Int("status", status), zap.Duration("duration", time.Since(began)))
	}
	return resp, err
}
