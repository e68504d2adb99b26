package lcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"curfew/lcs/secret"
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
			Proxy:                  sentOnce(http.ProxyFromEnvironment),
			OnProxyConnectResponse: proxyAnswered,
			DialContext:            (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           IdleConnections,
			MaxIdleConnsPerHost:    IdleConnections,
			IdleConnTimeout:        idleFor,
			Protocols:              protocols,
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
		address, err := proxy(req)
		if address != nil && address.User != nil {
			password, _ := address.User.Password()
			secret.Hide(password, address.User.Username()+":"+password)
		}
		return address, err
	}
}

// proxyAnswered refuses a proxy's answer that is no connection, without the words of the
// proxy: they may repeat its credentials.
func proxyAnswered(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("the proxy %s does not accept its credentials (HTTP %d); correct them in HTTPS_PROXY", proxy.Host, resp.StatusCode)
	}
	return fmt.Errorf("the proxy %s does not connect to LCS (HTTP %d); it must allow this host, or NO_PROXY name it", proxy.Host, resp.StatusCode)
}
