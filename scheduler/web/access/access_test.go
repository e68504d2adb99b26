package access_test

import (
	"errors"
	"strings"
	"testing"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
)

var (
	teamA  = access.Grant{Who: []string{"role:TeamA"}, Environments: []string{"dev-01", "dev-02"}, HoursPerWeek: 20}
	nobody = access.Identity{Actor: scheduler.Actor{Name: "nina@contoso.com", Via: access.ViaUser}}
	viewer = access.Identity{Actor: scheduler.Actor{Name: "vera@contoso.com", Via: access.ViaUser}, Role: access.Viewer}
	asker  = access.Identity{Actor: scheduler.Actor{Name: "rita@contoso.com", Via: access.ViaUser}, Role: access.Requester, Grants: []access.Grant{teamA}}
	boss   = access.Identity{Actor: scheduler.Actor{Name: "anna@contoso.com", Via: access.ViaUser}, Role: access.Operator}
)

func TestRolesMay(t *testing.T) {
	everyone := map[string]access.Identity{
		"unknown": {}, "local": access.Local("127.0.0.1:1"), "nobody": nobody, "viewer": viewer, "requester": asker, "operator": boss, "token": access.Token("127.0.0.1:1"),
	}
	tests := []struct {
		name         string
		do           access.Action
		environments []string
		allowed      string
	}{
		{"whoever has a role reads", access.Read, nil, "local viewer requester operator token"},
		{"a requester starts their own", access.Start, []string{"dev-01"}, "requester operator token"},
		{"a requester starts no other", access.Start, []string{"dev-09"}, "operator token"},
		{"a requester starts no mix of both", access.Start, []string{"dev-01", "dev-09"}, "operator token"},
		{"a requester keeps their own running", access.KeepRunning, []string{"dev-01", "dev-02"}, "requester operator token"},
		{"a requester keeps no other running", access.KeepRunning, []string{"dev-09"}, "operator token"},
		{"a requester keeps nothing stopped", access.KeepStopped, []string{"dev-01"}, "operator token"},
		{"a requester skips stops of their own", access.Skip, []string{"dev-02"}, "requester operator token"},
		{"a requester skips no other stop", access.Skip, []string{"dev-09"}, "operator token"},
		{"a requester stops nothing", access.Stop, []string{"dev-01"}, "operator token"},
		{"only an operator cancels", access.Cancel, nil, "operator token"},
		{"only an operator approves", access.Approve, nil, "operator token"},
		{"only an operator reloads", access.Reload, nil, "operator token"},
		{"only an operator releases the holds of an account", access.ReleaseAccount, nil, "operator token"},
		{"an action that nobody knows is an operator's", "empty", []string{"dev-01"}, "operator token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, who := range everyone {
				err := who.May(tt.do, tt.environments...)
				want := strings.Contains(" "+tt.allowed+" ", " "+name+" ")
				if got := err == nil; got != want {
					t.Errorf("%s may %s %v = %v (%v), want %v", name, tt.do, tt.environments, got, err, want)
				}
				if _, ok := errors.AsType[*access.Denied](err); err != nil && !ok {
					t.Errorf("%s: %v is not a Denied", name, err)
				}
			}
		})
	}
}

func TestARequesterReleasesTheirOwn(t *testing.T) {
	by := func(name, via string) scheduler.Override {
		return scheduler.Override{ID: "k3f9x2ab", Keep: plan.Running, Environments: []string{"dev-01"}, By: scheduler.Actor{Name: name, Via: via}}
	}
	own, other, token, namesake := by("rita@contoso.com", access.ViaUser), by("anna@contoso.com", access.ViaUser), by("", "token"), by("rita@contoso.com", "link:rita@contoso.com")
	for _, tt := range []struct {
		name string
		who  access.Identity
		o    scheduler.Override
		want bool
	}{
		{"their own", asker, own, true},
		{"somebody else's", asker, other, false},
		{"one made with the token", asker, token, false},
		{"one made another way under the same name", asker, namesake, false},
		{"an operator's choice", boss, own, true},
		{"a viewer has none", viewer, by("vera@contoso.com", access.ViaUser), false},
		{"nobody has none", access.Identity{}, by("", ""), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.who.MayRelease(tt.o); (err == nil) != tt.want {
				t.Errorf("MayRelease() = %v, want allowed: %v", err, tt.want)
			}
		})
	}
}

func TestDenialsSayWhyAndWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		who  access.Identity
		do   access.Action
		of   []string
		want string
	}{
		{access.Local(""), access.KeepRunning, []string{"dev-01"}, "sign in, or send the API token, to keep dev-01 running"},
		{nobody, access.Read, nil, "nina@contoso.com has no role here: ask whoever keeps the schedule file to name you, or a role or group of yours, under viewer, requester or operator of its access section"},
		{access.Identity{Actor: nobody.Actor, Claims: access.Claims{NoGroups: true}}, access.Read, nil, "nina@contoso.com has no role here, and is in so many groups that the provider sends none: ask whoever keeps the schedule file for an app role in place of a group"},
		{viewer, access.Start, []string{"dev-01"}, "vera@contoso.com may read only: to start dev-01, ask somebody with the role operator, or for a role in the access section of the schedule file"},
		{asker, access.Start, []string{"dev-09"}, "rita@contoso.com may not start dev-09: want one of dev-01, dev-02, or ask somebody with the role operator"},
		{asker, access.ReleaseAccount, nil, "rita@contoso.com may start environments, keep them running and skip their stops: to release the holds of an account, ask somebody with the role operator"},
		{asker, access.Approve, nil, "rita@contoso.com may start environments, keep them running and skip their stops: to approve a run, ask somebody with the role operator"},
		{asker, access.KeepStopped, []string{"dev-01"}, "rita@contoso.com may start environments, keep them running and skip their stops: to keep dev-01 stopped, ask somebody with the role operator"},
	} {
		if got := tt.who.May(tt.do, tt.of...); got == nil || got.Error() != tt.want {
			t.Errorf("May(%s, %v) = %v\nwant %s", tt.do, tt.of, got, tt.want)
		}
	}
}

func TestIdentify(t *testing.T) {
	rules := &access.Rules{
		Viewer:    []string{"role:Reader", "vera@contoso.com"},
		Requester: []access.Grant{teamA, {Who: []string{"group:11-22"}, Environments: []string{"test-01"}, HoursPerWeek: 5}},
		Operator:  []string{"role:Curfew.Operator", "anna@contoso.com"},
	}
	for _, tt := range []struct {
		name   string
		claims access.Claims
		want   access.Role
		own    string
	}{
		{"by an e-mail, in any case", access.Claims{Email: "Anna@Contoso.com"}, access.Operator, ""},
		{"not by a name that looks like the e-mail", access.Claims{Name: "anna@contoso.com"}, access.Nobody, ""},
		{"by a role", access.Claims{Roles: []string{"x", "Curfew.Operator"}}, access.Operator, ""},
		{"roles have a case", access.Claims{Roles: []string{"curfew.operator"}}, access.Nobody, ""},
		{"a group is no role", access.Claims{Groups: []string{"Curfew.Operator"}}, access.Nobody, ""},
		{"by a group", access.Claims{Groups: []string{"11-22"}}, access.Requester, "test-01"},
		{"by both grants", access.Claims{Groups: []string{"11-22"}, Roles: []string{"TeamA"}}, access.Requester, "dev-01 dev-02 test-01"},
		{"the highest role counts", access.Claims{Email: "anna@contoso.com", Roles: []string{"TeamA", "Reader"}}, access.Operator, ""},
		{"a viewer", access.Claims{Roles: []string{"Reader"}}, access.Viewer, ""},
		{"an empty e-mail matches nothing", access.Claims{}, access.Nobody, ""},
		{"a role named like an entry", access.Claims{Roles: []string{"*", "role:Reader"}}, access.Nobody, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := access.NewPolicy(func() *access.Rules { return rules }).Identify(tt.claims, "192.0.2.1:5")
			if own := strings.Join(got.Own(), " "); got.Role != tt.want || own != tt.own {
				t.Errorf("Identify() = %s of %q, want %s of %q", got.Role, own, tt.want, tt.own)
			}
			if got.Actor != (scheduler.Actor{Name: tt.claims.Name, Via: "user", From: "192.0.2.1:5"}) {
				t.Errorf("actor = %+v", got.Actor)
			}
		})
	}
}

func TestAnEditedFileCountsAtOnce(t *testing.T) {
	rules := &access.Rules{Viewer: []string{"*"}}
	policy := access.NewPolicy(func() *access.Rules { return rules })
	claims := access.Claims{Name: "x", Email: "x@contoso.com"}
	if got := policy.Identify(claims, "").Role; got != access.Viewer {
		t.Fatalf("role = %s, want viewer: * is every signed-in user", got)
	}
	rules = &access.Rules{Operator: []string{"x@contoso.com"}}
	if got := policy.Identify(claims, "").Role; got != access.Operator {
		t.Errorf("role after the edit = %s, want operator", got)
	}
	rules = nil
	if got := policy.Identify(claims, "").Role; got != access.Nobody {
		t.Errorf("role without rules = %s, want nobody", got)
	}
}
