package config

import (
	"math"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"curfew/lcs/remote"
)

// An Access says who may use the pages and the API, signed in with OpenID Connect. Who is
// "*" for every signed-in user, "role:NAME", "group:ID" or an e-mail.
type Access struct {
	Issuer       string // exactly as the provider writes it, with the slash at its end if it has one
	ClientID     string
	ClientSecret *SecretRef // nil: PKCE alone
	Viewer       []string
	Requester    []Requester
	Operator     []string
}

// A Requester is who may start environments, keep them running and skip their stops.
type Requester struct {
	Who          []string
	Environments []string // names, in file order
	HoursPerWeek float64  // environment-hours beyond the schedules
}

const (
	wantWho    = "\"*\" for every signed-in user, \"role:NAME\", \"group:ID\" or an e-mail"
	wantIssuer = "the issuer as the provider writes it, such as https://login.microsoftonline.com/TENANT-ID/v2.0"
	whoPattern = `^(\*|(role|group):\S(.*\S)?|[^\s@:*?]+@[^\s@:*?]+)$`
)

func accessSection() section {
	who := func(name, doc string) key {
		return key{name: name, doc: doc, want: wantWho, shape: oneOrListOf(whoShape())}
	}
	return section{title: "access", rules: anyOf(required("viewer"), required("requester"), required("operator")), keys: []key{
		{name: "issuer", doc: "Issuer of the OpenID Connect provider; https, or http on a loopback address. Example: https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0.", want: wantIssuer, required: true, shape: text()},
		{name: "client_id", doc: "Id of this application at the provider. Example: 66666666-7777-8888-9999-000000000000.", want: "the id of this application at the provider", required: true, shape: text()},
		secret("client_secret", "Where the secret of the application is kept. Default: none, PKCE alone."),
		who("viewer", "Who may read. Default: nobody but requesters and operators. Example: [\"*\"]."),
		{name: "requester", doc: "Who may start some environments, keep them running and skip their stops. Default: nobody but operators.", want: "a list such as [{who: [\"role:TeamA\"], environments: [\"tag:team-a\"], hours_per_week: 20}]", shape: listOf(requesterSection().shape(), 0)},
		who("operator", "Who may do everything. Default: nobody but whoever has the API token. Example: [\"role:Curfew.Operator\", anna@contoso.com]."),
	}}
}

func requesterSection() section {
	return section{title: "a requester", keys: []key{
		{name: "who", doc: "\"*\", \"role:NAME\", \"group:ID\" or e-mails. Example: [\"role:TeamA\"].", want: wantWho, required: true, shape: oneOrListOf(whoShape())},
		selectorKey(),
		{
			name: "hours_per_week", doc: "Environment-hours beyond the schedules that each user may ask for from Monday to Monday. Example: 20.", want: "a number above 0, such as 20", required: true,
			low: math.SmallestNonzeroFloat64, high: 1e6, shape: shape{"type": "number", "exclusiveMinimum": 0, "maximum": 1e6},
		},
	}}
}

func whoShape() shape {
	return shape{"type": "string", "pattern": whoPattern, "maxLength": maxText}
}

// decodeAccess reads who may use the pages and the API.
func (d *decoder) decodeAccess(f *fields) {
	n := f.values["access"]
	if n == nil {
		return
	}
	f, ok := d.fields(n, accessSection())
	if !ok {
		return
	}
	a := &Access{Issuer: d.issuer(f), ClientID: f.text("client_id"), ClientSecret: d.secret(f, "client_secret"), Viewer: d.who(f, "viewer"), Operator: d.who(f, "operator")}
	d.eachEntry(f, "requester", requesterSection(), func(f *fields) {
		a.Requester = append(a.Requester, Requester{Who: d.who(f, "who"), Environments: d.selected(f), HoursPerWeek: f.number("hours_per_week")})
	})
	if !f.has("viewer") && !f.has("requester") && !f.has("operator") {
		d.errorf(n, msgNoRole)
	}
	if d.opts.Notes {
		d.notef(n, msgPublicURL)
	}
	d.cfg.Access = a
}

// issuer reads the address of the provider. It is compared letter by letter with what the
// provider says, so that nothing of it is cut off.
func (d *decoder) issuer(f *fields) string {
	s := f.text("issuer")
	if s == "" {
		return ""
	}
	n := f.values["issuer"]
	if _, why := remote.Address(s); why != "" {
		d.errorf(n, msgURL, "issuer", why, wantIssuer)
		return ""
	}
	if base, found := strings.CutSuffix(s, "/.well-known/openid-configuration"); found {
		d.errorf(n, msgIssuerDocument, base)
		return ""
	}
	u, err := url.Parse(s)
	if err == nil && slices.Contains([]string{"common", "organizations", "consumers"}, strings.Split(u.Path+"/", "/")[1]) && strings.HasPrefix(u.Hostname(), "login.") {
		d.errorf(n, msgIssuerTenants, s)
		return ""
	}
	return s
}

// who reads the users that a key names.
func (d *decoder) who(f *fields, key string) []string {
	var list []string
	for _, n := range f.oneOrMore(key) {
		if s, ok := d.text(n, key, wantWho); ok && d.checkWho(n, s) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func (d *decoder) checkWho(n *yaml.Node, s string) bool {
	if d.matches(whoPattern, s) {
		return true
	}
	d.errorf(n, msgWho, cut(s), d.meantWho(s))
	return false
}

// meantWho is what ends a message about an entry that names nobody.
func (d *decoder) meantWho(s string) string {
	kind, name, isKind := strings.Cut(s, ":")
	name = strings.TrimSpace(name)
	switch {
	case strings.Contains(s, "@") && strings.ContainsAny(s, "*?"):
		return "an e-mail is no glob; want " + wantWho
	case isKind && name != "":
		if best := d.nearest(strings.TrimSpace(kind), []string{"role", "group"}); best != "" {
			return "did you mean \"" + best + ":" + cut(name) + "\"?"
		}
	case slices.Contains([]string{"all", "any", "anyone", "everyone", "everybody"}, strings.ToLower(s)):
		return "did you mean \"*\"?"
	}
	return "want " + wantWho
}
