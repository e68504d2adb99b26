package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"curfew/scheduler/web/access"
)

// Me is what somebody may do, and what they have done.
type Me struct {
	Name, Role, Says string
	SignedIn         bool
	SignIn           string // address to sign in at, "" when nobody can
	Because          []string
	Budgets          []BudgetLine
	Overrides        []OverrideLine
	Keys             []KeyLine
	MayMake          bool
	Made             string // the address with a new key, which is shown once
}

// A BudgetLine is what is left of some environments' hours this week.
type BudgetLine struct {
	Environments, Left, Used, All string
	Until                         Moment
}

// A KeyLine is one calendar key.
type KeyLine struct {
	ID, Owner string
	Made      Moment
}

func (p *Pages) me(r *http.Request, c *clock) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	who := access.From(r.Context())
	m := &Me{Name: who.Actor.String(), Role: who.Role.String(), SignedIn: who.SignedIn()}
	switch {
	case who.SignedIn():
		m.Says = roleText(who.Role)
	case who.Role == access.Operator:
		m.Name, m.Says = "The API token", roleText(who.Role)
	case p.canSignIn():
		m.Name, m.SignIn = "", "/login?next=/me"
		m.Says = "Nobody is signed in. On this machine you may read without that; sign in to make changes."
	default:
		m.Name = ""
		m.Says = "Nobody is signed in, and nobody can: the schedule file has no access section. With one, and serve --public-url, people sign in here; until then changes go by the command line, with CURFEW_API_TOKEN."
	}
	if p.opts.Why != nil {
		m.Because = p.opts.Why(who)
	}
	if m.Name == "" {
		return m, nil
	}
	if err := p.budgets(r, c, m); err != nil {
		return nil, err
	}
	if err := p.ownOverrides(r, c, m, who); err != nil {
		return nil, err
	}
	return m, p.keys(r, c, m)
}

func roleText(role access.Role) string {
	switch role {
	case access.Operator:
		return "You may do everything."
	case access.Requester:
		return "You may read everything, and start, keep running and skip the stops of your environments, within your hours."
	case access.Viewer:
		return "You may read everything, and change nothing."
	default:
		return "You have no role."
	}
}

// budgets adds what is left of a requester's hours.
func (p *Pages) budgets(r *http.Request, c *clock, m *Me) error {
	list, err := p.opts.Changes.Budgets(r.Context())
	for _, b := range list {
		all := time.Duration(b.HoursPerWeek * float64(time.Hour))
		m.Budgets = append(m.Budgets, BudgetLine{strings.Join(b.Environments, ", "), hours(b.Left()), hours(b.Used), hours(all), c.moment(b.Until)})
	}
	return err
}

func hours(d time.Duration) string {
	minutes := int(d.Round(time.Minute).Minutes())
	if minutes%60 == 0 {
		return fmt.Sprintf("%d h", minutes/60)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}

// ownOverrides adds the overrides that somebody made and that have not ended.
func (p *Pages) ownOverrides(r *http.Request, c *clock, m *Me, who access.Identity) error {
	all, err := p.opts.Engine.Overrides(r.Context())
	for _, o := range all {
		if (o.State == "active" || o.State == "pending") && o.By.Name == who.Actor.Name && o.By.Via == who.Actor.Via {
			m.Overrides = append(m.Overrides, p.overrideLine(c, o, who))
		}
	}
	return err
}

func (p *Pages) keys(r *http.Request, c *clock, m *Me) error {
	if p.opts.Keys == nil {
		return nil
	}
	m.MayMake = m.SignedIn
	list, err := p.opts.Keys.List(r.Context())
	for _, k := range list {
		m.Keys = append(m.Keys, KeyLine{k.ID, k.Owner.String(), c.moment(k.CreatedAt)})
	}
	return err
}

// makeKey makes a calendar key and shows it, this once.
func (p *Pages) makeKey(w http.ResponseWriter, r *http.Request) {
	c := p.clock()
	key, err := p.opts.Keys.Make(r.Context())
	status, failed := http.StatusOK, ""
	if err != nil {
		status, failed = p.fault(r, err)
	}
	body, err := p.me(r, c)
	m, ok := body.(*Me)
	if err != nil || !ok {
		p.Problem(w, r, http.StatusInternalServerError, "curfew could not answer", "The daemon's log says why.")
		return
	}
	if failed == "" {
		m.Made = "/calendar.ics?" + url.Values{"key": {key}}.Encode()
		if p.opts.PublicURL != "" {
			m.Made = p.opts.PublicURL + m.Made
		}
	}
	f := p.frame(r, c, "me", m.title(), m)
	f.Failed = failed
	w.Header().Set("Cache-Control", "no-store")
	p.write(w, r, status, "me", f)
}

// revokeKey ends a calendar key.
func (p *Pages) revokeKey(r *http.Request, _ *clock) (string, error) {
	return "/me?" + done{did: "revoke"}.query(), p.opts.Keys.Revoke(r.Context(), r.PathValue("id"))
}

func (m *Me) title() string { return "You" }

// sentence makes a sentence of an error.
func sentence(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if word, _, _ := strings.Cut(text, " "); strings.Contains(word, "@") { // a name stays as it is
		return text + "."
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}

// escapedPath is the path of a request as part of a query.
func escapedPath(r *http.Request) string { return url.QueryEscape(r.URL.EscapedPath()) }
