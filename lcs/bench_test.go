package lcs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

// canned answers every request with the same body, in memory.
type canned string

func (c canned) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: int64(len(c)), Request: req}, nil
}

// answerOf records what the simulator answers to one request.
func answerOf(b *testing.B, method, path string) canned {
	b.Helper()
	sim := lcssim.New(lcssim.Options{})
	for i := range lcs.PageSize {
		sim.AddEnvironment(project, lcssim.Environment{ID: fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i), Name: fmt.Sprintf("dev-%02d", i)})
	}
	req, err := http.NewRequest(method, "https://lcs.invalid"+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := sim.Transport().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.StatusCode, err)
	}
	return canned(body)
}

func client(b *testing.B, endpoint string, transport policy.Transporter) *lcs.Client {
	b.Helper()
	c, err := lcs.NewClient(endpoint, &shared{}, &lcs.ClientOptions{Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkStart(b *testing.B) {
	c := client(b, "https://lcs.invalid", answerOf(b, http.MethodPost, "/environment/v1/stop/project/1234567/environment/55eb4327-9346-4c7b-82bd-000000000001"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Start(b.Context(), project, dashed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvironmentsPage(b *testing.B) {
	c := client(b, "https://lcs.invalid", answerOf(b, http.MethodGet, "/environmentinfo/v1/detail/project/1234567/?page=1"))
	b.ReportAllocs()
	for b.Loop() {
		if page, err := c.EnvironmentsPage(b.Context(), project, 1); err != nil || len(page.Environments) != lcs.PageSize {
			b.Fatal(len(page.Environments), err)
		}
	}
}

// BenchmarkTLS calls a server over TLS on a socket, as production does.
func BenchmarkTLS(b *testing.B) {
	page := answerOf(b, http.MethodGet, "/environmentinfo/v1/detail/project/1234567/?page=1")
	operation := answerOf(b, http.MethodPost, "/environment/v1/stop/project/1234567/environment/55eb4327-9346-4c7b-82bd-000000000001")
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			_, _ = io.WriteString(w, string(operation))
			return
		}
		_, _ = io.WriteString(w, string(page))
	}))
	server.Config.ConnState = countNew(&connections)
	server.StartTLS()
	defer server.Close()
	for _, bb := range []struct {
		name string
		call func(c *lcs.Client) error
	}{
		{"start", func(c *lcs.Client) error { _, err := c.Start(b.Context(), project, dashed); return err }},
		{"page", func(c *lcs.Client) error { _, err := c.EnvironmentsPage(b.Context(), project, 1); return err }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := client(b, server.URL, trusting(server))
			connections.Store(0)
			b.SetParallelism(32) // 64 at once on 2 cores
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := bb.call(c); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(connections.Load()), "connections")
		})
	}
}
