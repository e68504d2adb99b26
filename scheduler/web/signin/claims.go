package signin

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"curfew/scheduler"
	"curfew/scheduler/web/access"
)

// A token is what an ID token says of its user.
type token struct {
	AuthorizedParty   string     `json:"azp"`
	Email             string     `json:"email"`
	EmailVerified     anyBool    `json:"email_verified"`
	PreferredUsername string     `json:"preferred_username"`
	Roles             oneOrMany  `json:"roles"`
	Groups            oneOrMany  `json:"groups"`
	HasGroups         anyBool    `json:"hasgroups"`
	Elsewhere         claimNames `json:"_claim_names"`
}

// claimNames are the claims that are to be fetched elsewhere.
type claimNames struct {
	Groups string `json:"groups"`
}

// oneOrMany is a text, or a list of them.
type oneOrMany []string

func (l *oneOrMany) UnmarshalJSON(b []byte) error {
	var many []string
	if err := json.Unmarshal(b, &many); err == nil {
		*l = many
		return nil
	}
	var one string
	if err := json.Unmarshal(b, &one); err != nil {
		return errors.New("roles or groups is neither text nor a list of texts")
	}
	*l = oneOrMany{one}
	return nil
}

// anyBool is a truth value, which some providers write as text; absent counts as neither.
type anyBool struct{ given, is bool }

func (v *anyBool) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	*v = anyBool{true, strings.EqualFold(text, "true")}
	return nil
}

// most bounds the roles and the groups that a session keeps.
const most = 2000

// claimsOf returns what a checked ID token says of its user.
func claimsOf(t *oidc.IDToken, clientID string) (access.Claims, error) {
	var said token
	if err := t.Claims(&said); err != nil {
		return access.Claims{}, errors.New("its claims cannot be read")
	}
	switch {
	case t.Subject == "":
		return access.Claims{}, errors.New("it names no user")
	case said.AuthorizedParty != "" && said.AuthorizedParty != clientID, len(t.Audience) > 1 && said.AuthorizedParty == "":
		return access.Claims{}, errors.New("it was made for another application")
	case len(said.Roles) > most, len(said.Groups) > most:
		return access.Claims{}, errors.New("it has more roles or groups than can be kept")
	}
	c := access.Claims{
		Subject: t.Subject, Roles: said.Roles, Groups: said.Groups, NoGroups: said.HasGroups.is || said.Elsewhere.Groups != "",
	}
	c.Email = said.email(t.Issuer)
	c.Name = said.name(t, c.Email)
	return c, nil
}

// email returns the e-mail of the user, "" unless the provider vouches for it. Entra says
// nothing of whether it is verified, since an administrator sets it; where it sends none,
// the name that the administrator gave is one.
func (t token) email(issuer string) string {
	if t.EmailVerified.given && !t.EmailVerified.is {
		return ""
	}
	email := t.Email
	if email == "" && !t.EmailVerified.given && isEntra(issuer) {
		email = t.PreferredUsername
	}
	if !strings.Contains(email, "@") {
		return ""
	}
	return strings.ToLower(email)
}

// name returns the name that the audit shows, and that makes an override somebody's own. It
// is the e-mail where there is one that the provider vouches for; a user name of another
// form cannot be taken for one.
func (t token) name(id *oidc.IDToken, email string) string {
	if email != "" {
		return email
	}
	name := t.PreferredUsername
	if name == "" || strings.Contains(name, "@") || strings.ContainsFunc(name, unicode.IsControl) || len(name) > 200 {
		name = id.Subject
	}
	reserved := []string{scheduler.BySchedule.Via, scheduler.ByToken.Via}
	if slices.Contains(reserved, name) || strings.Contains(name, ":") {
		name = "user " + name
	}
	return name
}

// isEntra reports whether an issuer is Microsoft Entra ID, in any of its clouds.
func isEntra(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && slices.Contains([]string{"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}, u.Hostname())
}
