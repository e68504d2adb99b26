package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// crowd is an engine with many environments.
type crowd struct {
	fixed
	names []string
}

func (c crowd) Statuses(context.Context) ([]scheduler.EnvironmentStatus, error) {
	list := make([]scheduler.EnvironmentStatus, len(c.names))
	for i, name := range c.names {
		list[i].Name, list[i].Wanted = name, plan.Unknown
	}
	return list, nil
}

func TestListThatIsFoundWholeHasPages(t *testing.T) {
	c := crowd{}
	for i := range 2*api.MaxPage + 1 {
		c.names = append(c.names, fmt.Sprintf("dev-%04d", i))
	}
	var sizes []string
	h := described.handler(served(api.Options{Engine: c}, web.Options{Ready: fixed{}.Ready}).Handler(onLoopback))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sizes = append(sizes, r.URL.RawQuery)
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	remote, err := client.New(server.URL, secret.New(""))
	if err != nil {
		t.Fatal(err)
	}
	list, err := remote.Environments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(list, c.names, func(e api.Environment, name string) bool { return e.Name == name }) {
		t.Errorf("the pages have %d environments, want the %d of the file in their order", len(list), len(c.names))
	}
	if want := []string{"", "cursor=dev-0999", "cursor=dev-1999"}; !slices.Equal(sizes, want) {
		t.Errorf("the client asked for the pages %q, want %q", sizes, want)
	}
	for path, want := range map[string]string{
		"environments?limit=2":                 `"next_cursor":"dev-0001"`,
		"environments?limit=2&cursor=dev-1998": `"next_cursor":null`,
		"environments?cursor=nobody":           "cursor: want the next_cursor of the page before; the list has changed since",
		"environments?limit=0":                 "limit: want a number from 1 to 1000",
		"environments?limit=1001":              "limit: want a number from 1 to 1000",
		"environments?tag=dev":                 "tag: want one of the parameters limit, cursor",
		"accounts?limit=1":                     `"next_cursor":"main"`,
		"accounts?limit=1&cursor=main":         `"next_cursor":null`,
		"overrides?limit=1":                    `"next_cursor":null`,
		"receivers?limit=1":                    `"next_cursor":null`,
	} {
		if got := body(t, ask(h, "GET", "localhost", "/api/v1/"+path, "")); !strings.Contains(got, want) {
			t.Errorf("GET %s = %.300s, want %s", path, got, want)
		}
	}
}
