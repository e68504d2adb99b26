package lcs

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// IdleConnections is how many connections to LCS wait for their next call at most: a
// fire's calls go out together.
const IdleConnections = 64

const (
	// idleFor is below what servers and proxies allow a connection to be idle, so
	// that no call goes out on one that is closed at that moment.
	idleFor = 15 * time.Second
)

// NewTransport makes the transport of production. Clients that share one share its
// connections. It follows no redirect, which would carry the token elsewhere, and
// sends no request a second time by itself.
func NewTransport() *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true) // over HTTP/2, net/http has retries of its own
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               sentOnce(http.ProxyFromEnvironment),
			DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConns:        IdleConnections,
			MaxIdleConnsPerHost: IdleConnections,
			IdleConnTimeout:     idleFor,
			Protocols:           protocols,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errBrokeOff = errors.New("the connection broke off before the answer came")

// sentOnce refuses to send a GET a second time. On a connection that was used
// before, net/http does so when the first gets no answer: LCS would count a call
// that nobody here knows of. A Transport asks for the proxy each time that it is
// about to send a request, so this is where it can be kept from doing so. A POST is
// only sent again when nothing of it had left.
func sentOnce(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		if a := attemptIn(req.Context()); a != nil && req.Method == http.MethodGet && a.sends.Add(1) > 1 {
			return nil, errBrokeOff
		}
		return proxy(req)
	}
}
