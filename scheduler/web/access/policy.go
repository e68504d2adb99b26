package access

import (
	"slices"
	"strings"

	"curfew/scheduler"
)

// Rules are the access section of a schedule file, its selectors resolved. Who is "*" for
// every signed-in user, "role:NAME", "group:ID" or an e-mail.
type Rules struct {
	Viewer    []string
	Requester []Grant
	Operator  []string
}

// A Grant lets people start environments, keep them running and skip their stops for so
// many environment-hours a week beyond what the schedule file wants.
type Grant struct {
	Who          []string
	Environments []string
	HoursPerWeek float64
}

// Claims are what the provider says of a user who signed in.
type Claims struct {
	Subject  string   `json:"subject"`
	Name     string   `json:"name"`  // as the audit shows the user
	Email    string   `json:"email"` // "" unless the provider vouches for it
	Roles    []string `json:"roles"`
	Groups   []string `json:"groups"`
	NoGroups bool     `json:"no_groups"` // the provider left out the groups, since there are too many
}

// A Policy works out what users may do by the rules of the moment, so that a file that was
// edited counts from the next request on.
type Policy struct{ current func() *Rules }

// NewPolicy makes a policy of a function that returns the current rules, nil for none.
func NewPolicy(current func() *Rules) *Policy { return &Policy{current} }

// Identify returns who signed in with the claims, at an address, and what they may do.
func (p *Policy) Identify(c Claims, from string) Identity {
	i := Identity{Actor: scheduler.Actor{Name: c.Name, Via: ViaUser, From: from}, Claims: c}
	rules := p.current()
	if rules == nil {
		return i
	}
	for _, g := range rules.Requester {
		if c.matches(g.Who) {
			i.Grants = append(i.Grants, g)
		}
	}
	switch {
	case c.matches(rules.Operator):
		i.Role, i.Grants = Operator, nil
	case len(i.Grants) > 0:
		i.Role = Requester
	case c.matches(rules.Viewer):
		i.Role = Viewer
	}
	return i
}

// Why returns the entries of the access section by which a user has their role.
func (p *Policy) Why(i Identity) []string {
	rules := p.current()
	if rules == nil {
		return nil
	}
	switch i.Role {
	case Operator:
		return i.Claims.matching(rules.Operator)
	case Requester:
		var list []string
		for _, g := range i.Grants {
			list = append(list, i.Claims.matching(g.Who)...)
		}
		slices.Sort(list)
		return slices.Compact(list)
	case Viewer:
		return i.Claims.matching(rules.Viewer)
	case Nobody:
	}
	return nil
}

// matches reports whether one of the entries means the user.
func (c Claims) matches(who []string) bool { return slices.ContainsFunc(who, c.is) }

// matching returns the entries that mean the user.
func (c Claims) matching(who []string) []string {
	return slices.DeleteFunc(slices.Clone(who), func(entry string) bool { return !c.is(entry) })
}

// is reports whether an entry means the user.
func (c Claims) is(entry string) bool {
	kind, name, _ := strings.Cut(entry, ":")
	switch {
	case entry == "*":
		return true
	case kind == "role":
		return slices.Contains(c.Roles, name)
	case kind == "group":
		return slices.Contains(c.Groups, name)
	}
	return c.Email != "" && strings.EqualFold(c.Email, entry)
}
