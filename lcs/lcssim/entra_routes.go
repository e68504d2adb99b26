package lcssim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An Endpoint is an address of the sign-in host.
type Endpoint string

// The endpoints; AtToken is both token endpoints, v1 and v2.
const (
	AtToken      Endpoint = ""
	AtDeviceCode Endpoint = "device code"
	AtAuthorize  Endpoint = "authorize"
	AtDiscovery  Endpoint = "tenant discovery"
	AtInstance   Endpoint = "instance discovery"
	AtRealm      Endpoint = "user realm"
)

// An entraRequest is a request whose address is known.
type entraRequest struct {
	host, tenant string // host as in https://login.microsoftonline.com
	form         url.Values
	v1           bool // the older token endpoint, whose numbers are strings
	now          time.Time
}

type entraRoute struct {
	method, path string // behind the tenant; one that ends in a slash has more behind it
	at           Endpoint
	answer       func(*Entra, entraRequest) reply
}

var entraRoutes = []entraRoute{
	{http.MethodGet, "v2.0/.well-known/openid-configuration", AtDiscovery, (*Entra).discovery},
	{http.MethodGet, "discovery/instance", AtInstance, (*Entra).instance},
	{http.MethodGet, "userrealm/", AtRealm, (*Entra).realm},
	{http.MethodGet, "oauth2/v2.0/authorize", AtAuthorize, (*Entra).authorize},
	{http.MethodPost, "oauth2/v2.0/devicecode", AtDeviceCode, (*Entra).deviceCode},
	{http.MethodPost, "oauth2/v2.0/token", AtToken, (*Entra).token},
	{http.MethodPost, "oauth2/token", AtToken, (*Entra).token},
}

func (e *Entra) serve(req *http.Request) reply {
	tenant, path, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	path = strings.ToLower(path)
	i := slices.IndexFunc(entraRoutes, func(r entraRoute) bool {
		return r.method == req.Method && (path == r.path || strings.HasSuffix(r.path, "/") && strings.HasPrefix(path, r.path))
	})
	if i < 0 || req.ParseForm() != nil {
		return text(http.StatusNotFound, "text/html", "<html><body>Not found</body></html>")
	}
	route := entraRoutes[i]
	e.mu.Lock()
	defer e.mu.Unlock()
	r := entraRequest{
		host: "https://" + cmp.Or(req.Host, req.URL.Host), tenant: tenant, form: req.Form, v1: route.path == "oauth2/token", now: e.opts.Now(),
	}
	if req.Method == http.MethodPost {
		r.form = req.PostForm
	}
	if route.at == AtToken {
		e.asked++
	}
	f := e.strike(route.at, r.form.Get("grant_type"))
	switch {
	case f == nil:
		return route.answer(e, r)
	case f.Garbled:
		return garbled(route.answer(e, r))
	case route.at == AtAuthorize && f.Code != "":
		return refuseAuthorize(r, f)
	default:
		return f.reply(r.now)
	}
}

// clouds are the sign-in hosts of each cloud, the one to use first; instance
// discovery returns them.
var clouds = []struct {
	aliases []string
	cache   string // under which MSAL keeps its tokens
}{
	{[]string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}, "login.windows.net"},
	{[]string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}, "login.partner.microsoftonline.cn"},
	{[]string{"login.microsoftonline.de"}, "login.microsoftonline.de"},
	{[]string{"login.microsoftonline.us", "login.usgovcloudapi.net"}, "login.microsoftonline.us"},
	{[]string{"login-us.microsoftonline.com"}, "login-us.microsoftonline.com"},
}

// instance answers which hosts are one cloud. A host that is none of Entra's is
// refused, as there.
func (e *Entra) instance(r entraRequest) reply {
	asked, err := url.Parse(r.form.Get("authorization_endpoint"))
	if err != nil || r.form.Get("api-version") == "" {
		return InvalidRequest.reply(r.now)
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/")
	known := false
	var metadata []map[string]any
	for _, c := range clouds {
		known = known || slices.Contains(c.aliases, asked.Hostname())
		metadata = append(metadata, map[string]any{"preferred_network": c.aliases[0], "preferred_cache": c.cache, "aliases": c.aliases})
	}
	if !known {
		return InvalidInstance.reply(r.now)
	}
	return jsonReply(http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + asked.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration", "api-version": "1.1", "metadata": metadata,
	})
}

// discovery answers with a tenant's endpoints.
func (e *Entra) discovery(r entraRequest) reply {
	base := r.host + "/" + r.tenant
	return jsonReply(http.StatusOK, map[string]any{
		"authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "issuer": base + "/v2.0",
		"response_modes_supported": []string{"query", "fragment", "form_post"}, "scopes_supported": []string{"openid", "profile", "email", "offline_access"},
	})
}

// realm answers that Entra itself checks the passwords of a domain.
func (e *Entra) realm(entraRequest) reply {
	return jsonReply(http.StatusOK, map[string]any{
		"ver": "1.0", "account_type": "Managed", "domain_name": "contoso.com",
		"cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline",
	})
}

func jsonReply(status int, v any) reply {
	b, err := json.Marshal(v)
	if err != nil {
		return text(http.StatusInternalServerError, "text/plain", "the simulator cannot write its answer")
	}
	return text(status, "application/json; charset=utf-8", string(b))
}
