package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"curfew/lcs/remote"
)

// A mode is a way to sign in: which keys it needs, and which mean nothing for it.
type mode struct {
	name    string
	needs   []string
	refuses []string
}

func modes() []mode {
	return []mode{
		{ModePassword, []string{"tenant", "client_id", "username", "password"}, []string{"token"}},
		{ModeDelegated, []string{"tenant", "client_id"}, []string{"password", "token"}},
		{ModeStatic, []string{"token"}, []string{"tenant", "client_id", "username", "password", "client_secret", "scope", "authority"}},
	}
}

func (d *decoder) decodeAccounts(f *fields) {
	d.accounts.partial = isPartial(f, "accounts")
	first := map[string]string{}
	d.eachEntry(f, "accounts", accountSection(), func(f *fields) {
		a := Account{
			Name:         d.define(f, d.accounts),
			Mode:         f.enum("mode", ""),
			Tenant:       f.text("tenant"),
			ClientID:     f.text("client_id"),
			Username:     f.text("username"),
			Password:     d.secret(f, "password"),
			ClientSecret: d.secret(f, "client_secret"),
			Token:        d.secret(f, "token"),
			Scope:        f.text("scope"),
			Authority:    d.address(f, "authority"),
		}
		d.checkAccount(f, a)
		d.checkUser(f, a, first)
		d.cfg.Accounts = append(d.cfg.Accounts, a)
	})
}

// tenantPattern is that of a domain, or an id.
const tenantPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`

func (d *decoder) checkAccount(f *fields, a Account) {
	if a.Tenant != "" && !d.matches(tenantPattern, a.Tenant) {
		d.errorf(f.values["tenant"], msgTenant, cut(a.Tenant))
	}
	if a.ClientID != "" && !d.matches(idPattern, a.ClientID) {
		d.errorf(f.values["client_id"], msgClientID, cut(a.ClientID))
	}
	for _, m := range modes() {
		if m.name == a.Mode {
			d.checkMode(f, m)
		}
	}
}

// checkUser warns of a second account for one user: the quota is the user's.
func (d *decoder) checkUser(f *fields, a Account, first map[string]string) {
	if a.Username == "" || a.Tenant == "" || a.Name == "" {
		return
	}
	user := strings.ToLower(a.Tenant + " " + a.Username)
	if other := first[user]; other != "" {
		d.warnf(f.values["username"], msgSameUser, a.Name, other, d.accounts.places[other].Line)
		return
	}
	first[user] = a.Name
}

func (d *decoder) checkMode(f *fields, m mode) {
	for _, k := range m.needs {
		if !f.has(k) {
			d.errorf(f.node, msgModeNeeds, m.name, k, f.section.key(k).want)
		}
	}
	for _, k := range m.refuses {
		if n := f.values[k]; n != nil {
			d.errorf(n, msgModeRefuses, k, m.name)
		}
	}
}

// secret reads where a secret is kept. No message may repeat what stands there: it
// may be the secret.
func (d *decoder) secret(f *fields, key string) *SecretRef {
	n := f.values[key]
	if n == nil {
		return nil
	}
	switch {
	case n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "${") && strings.HasSuffix(n.Value, "}"):
		d.errorf(n, msgVariable, key, wantVariable(n.Value))
		return nil
	case n.Kind != yaml.MappingNode:
		d.errorf(n, msgSecretInClear, key)
		return nil
	}
	before := len(d.diags)
	s, _ := d.fields(n, secretSection(key))
	ref := SecretRef{File: s.text("file"), Env: s.text("env")}
	switch {
	case len(d.diags) > before: // the key has been reported
		return nil
	case (ref.File == "") == (ref.Env == ""):
		d.errorf(n, msgSecretBoth, key)
		return nil
	case ref.Env != "" && !d.matches(envPattern, ref.Env):
		d.errorf(s.values["env"], msgEnvName)
		return nil
	case ref.File != "":
		ref.File = d.absolute(ref.File)
	}
	return &ref
}

// address reads a URL to which credentials will be sent, without a slash at its end.
func (d *decoder) address(f *fields, key string) string {
	s := f.text(key)
	if s == "" {
		return ""
	}
	u, fault := remote.Address(s)
	if fault != "" {
		d.errorf(f.values[key], msgURL, key, fault, wantURL)
		return ""
	}
	return u.String()
}

// accountsOf reads the accounts of a project.
func (d *decoder) accountsOf(f *fields) []string {
	var list []string
	for _, n := range f.oneOrMore("account") {
		name, ok := d.refer(n, d.accounts)
		switch {
		case !ok:
		case slices.Contains(list, name):
			d.errorf(n, msgSameAccount, name)
		default:
			list = append(list, name)
		}
	}
	return list
}
