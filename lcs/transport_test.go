package lcs_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"curfew/lcs"
)

// countNew counts the connections that a server accepts.
func countNew(n *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
}

// trusting is the transport of production, which trusts a test server too.
func trusting(server *httptest.Server) *http.Client {
	c := lcs.NewTransport()
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	return c
}

func TestSixtyFourCallsAtOnceUseTheirConnectionsAgain(t *testing.T) {
	const together, rounds = 64, 5
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ProtoMajor != 1 || req.Close {
			t.Errorf("a request came with %s, close %t", req.Proto, req.Close)
		}
		_, _ = io.WriteString(w, `{"IsSuccess":true}`)
	}))
	server.Config.ConnState = countNew(&connections)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c, err := lcs.NewClient(server.URL, &shared{}, &lcs.ClientOptions{Transport: trusting(server)})
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		var calls sync.WaitGroup
		for range together {
			calls.Go(func() {
				if _, err := c.Stop(t.Context(), project, dashed); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if n := connections.Load(); n > 2*together {
		t.Errorf("%d connections for %d calls, %d at once; want them used again", n, together*rounds, together)
	}
}

// TestNoRequestIsSentTwice has a server drop a connection that was used before, at
// its second request: net/http would send a GET again.
func TestNoRequestIsSentTwice(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(c *lcs.Client) error
	}{
		{"GET", func(c *lcs.Client) error { _, err := c.EnvironmentsPage(t.Context(), project, 1); return err }},
		{"POST", func(c *lcs.Client) error { _, err := c.Stop(t.Context(), project, dashed); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1)%2 == 0 {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, `{"IsSuccess":true}`)
			}))
			defer server.Close()
			c, err := lcs.NewClient(server.URL, &shared{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for n := int64(1); n <= 10; n++ {
				err := tt.call(c)
				if got := requests.Load(); got != n {
					t.Fatalf("%d calls were %d requests", n, got)
				}
				if n%2 == 0 && kindOf(err) != lcs.Ambiguous || n%2 == 1 && err != nil {
					t.Fatalf("call %d = %v", n, err)
				}
			}
		})
	}
}

// shared is a credential whose token is good for all callers.
type shared struct{}

func (shared) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: secret, ExpiresOn: time.Now().Add(time.Hour)}, nil
}
