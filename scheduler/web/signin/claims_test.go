package signin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

func TestEmailAndNameOfAUser(t *testing.T) {
	const other, entra = "https://id.example.com", "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"
	for _, tt := range []struct{ name, issuer, claims, email, shown string }{
		{"a verified e-mail", other, `{"email":"Anna@contoso.com","email_verified":true,"preferred_username":"anna"}`, "anna@contoso.com", "anna@contoso.com"},
		{"an e-mail of which nothing is said", other, `{"email":"anna@contoso.com"}`, "anna@contoso.com", "anna@contoso.com"},
		{"an e-mail that is not verified", other, `{"email":"anna@contoso.com","email_verified":false,"preferred_username":"eve"}`, "", "eve"},
		{"the same, written as text", other, `{"email":"anna@contoso.com","email_verified":"false","preferred_username":"eve"}`, "", "eve"},
		{"verified, written as text", other, `{"email":"anna@contoso.com","email_verified":"True"}`, "anna@contoso.com", "anna@contoso.com"},
		{"verified, written as nothing", other, `{"email":"anna@contoso.com","email_verified":null}`, "", "subject-1"},
		{"a user name that looks like an e-mail is none", other, `{"preferred_username":"anna@contoso.com"}`, "", "subject-1"},
		{"that of Entra is one", entra, `{"preferred_username":"Anna@contoso.com"}`, "anna@contoso.com", "anna@contoso.com"},
		{"but not where the e-mail is not verified", entra, `{"email":"x@contoso.com","email_verified":false,"preferred_username":"anna@contoso.com"}`, "", "subject-1"},
		{"an e-mail without an at", other, `{"email":"role:Curfew.Operator"}`, "", "subject-1"},
		{"a name that is a way of the audit", other, `{"preferred_username":"token"}`, "", "user token"},
		{"a name that looks like a link", other, `{"preferred_username":"link:ops"}`, "", "user link:ops"},
		{"a name with a line of its own", other, `{"preferred_username":"a\nb"}`, "", "subject-1"},
		{"nothing", other, `{}`, "", "subject-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said token
			if err := json.Unmarshal([]byte(tt.claims), &said); err != nil {
				t.Fatal(err)
			}
			email := said.email(tt.issuer)
			if shown := said.name(&oidc.IDToken{Subject: "subject-1"}, email); email != tt.email || shown != tt.shown {
				t.Errorf("%s = %q, shown %q; want %q, %q", tt.claims, email, shown, tt.email, tt.shown)
			}
		})
	}
}

func TestRolesAndGroups(t *testing.T) {
	w := newWorld(t, plainAddress)
	w.rules.Viewer, w.rules.Operator = []string{"role:one"}, []string{"group:11"}
	for _, tt := range []struct {
		name   string
		claims person
		role   string
	}{
		{"a role alone", person{"roles": "one"}, "viewer"},
		{"roles in a list", person{"roles": []string{"two", "one"}}, "viewer"},
		{"groups in a list", person{"groups": []string{"11"}}, "operator"},
		{"neither", person{}, "nobody"},
		{"an e-mail of the rules that is not verified", person{"email": "anna@contoso.com", "email_verified": false}, "nobody"},
		{"groups that Entra left out", person{"_claim_names": map[string]string{"groups": "src1"}, "_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://graph.example/x"}}}, "nobody"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.rules.Operator = []string{"group:11", "anna@contoso.com"}
			w.enter(tt.claims)
			who, ok := w.who()
			if !ok || who.Role.String() != tt.role {
				t.Errorf("%v is %s, %v; want %s", tt.claims, who.Role, ok, tt.role)
			}
			if _, left := tt.claims["_claim_names"]; who.Claims.NoGroups != left {
				t.Errorf("groups left out: %v, want %v", who.Claims.NoGroups, left)
			}
		})
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"email":"anna@contoso.com","email_verified":"false","roles":"x","groups":["y"],"_claim_names":{"groups":"src1"}}`)
	f.Add(`{"preferred_username":"link:ops","hasgroups":true}`)
	f.Add(`{"roles":[1],"email_verified":0}`)
	f.Fuzz(func(t *testing.T, claims string) {
		var said token
		if json.Unmarshal([]byte(claims), &said) != nil {
			return
		}
		email := said.email("https://login.microsoftonline.com/x/v2.0")
		name := said.name(&oidc.IDToken{Subject: "subject-1"}, email)
		if said.EmailVerified.given && !said.EmailVerified.is && email != "" {
			t.Errorf("%s: the e-mail %q is not verified", claims, email)
		}
		if name == "" || name == "token" || name == "schedule" || email == "" && strings.ContainsAny(name, "@\n\r") {
			t.Errorf("%s: the name is %q", claims, name)
		}
	})
}
