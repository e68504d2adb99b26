package pages

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/internal/wording"
	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/web/access"
)

// rowsShown bounds the rows of a page.
const rowsShown = 50

// failedSince is how long a run that failed is shown, unless another came after it: what failed
// on Friday evening is still to be seen on Monday.
const failedSince = 7 * 24 * time.Hour

// A filter is which environments a page shows, as its address says.
type filter struct {
	Tag, Name, Project, State string
	Page                      int
	All                       bool // every environment shown is marked
}

// filterNames are the parameters of the first page that say which environments it shows.
func filterNames() []string { return []string{"tag", "name", "project", "state", "page"} }

// filterStates are the states by which environments can be selected.
func filterStates() []string {
	return []string{"running", "stopped", "busy", "unknown", "failed", "drift", "waiting"}
}

func filterOf(r *http.Request) (filter, error) {
	q, err := query(r, append(filterNames(), "select")...)
	f := filter{All: q.Get("select") == "all", Tag: q.Get("tag"), Name: q.Get("name"), Project: q.Get("project"), State: q.Get("state"), Page: 1}
	if err != nil {
		return f, err
	}
	if f.State != "" && !slices.Contains(filterStates(), f.State) {
		return f, &badQuery{"state: want one of " + strings.Join(filterStates(), ", ")}
	}
	if _, err := path.Match(f.Name, ""); err != nil {
		return f, &badQuery{"name: want a part of a name, or a pattern such as dev-*"}
	}
	if s := q.Get("page"); s != "" {
		if f.Page, err = strconv.Atoi(s); err != nil || f.Page < 1 {
			return f, &badQuery{"page: want a number from 1 on"}
		}
	}
	return f, nil
}

// query reads the parameters, and refuses those that no page knows: a misspelt filter
// must not widen what is shown.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &badQuery{"want name=value pairs, escaped as in an address"}
	}
	for name, values := range q {
		if !slices.Contains(names, name) {
			return q, &badQuery{fmt.Sprintf("%s: want one of %s", name, strings.Join(names, ", "))}
		}
		if len(values) > 1 {
			return q, &badQuery{name + ": want it once"}
		}
	}
	return q, nil
}

func (f filter) selects(row *Row) bool {
	name := strings.ToLower(f.Name)
	if glob, _ := path.Match(name, strings.ToLower(row.Name)); !glob && !strings.Contains(strings.ToLower(row.Name), name) {
		return false
	}
	return (f.Tag == "" || slices.Contains(row.Tags, f.Tag)) && (f.Project == "" || row.Project == f.Project) &&
		(f.State == "" || row.Seen == f.State || f.State == "failed" && row.Failed != nil || f.State == "drift" && row.Drift || f.State == "waiting" && row.Approval)
}

// with returns the address of another page with the same filter.
func (f filter) with(page int) string {
	q := url.Values{}
	for name, value := range map[string]string{"tag": f.Tag, "name": f.Name, "project": f.Project, "state": f.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "/?" + q.Encode()
}

// Query is the filter as the first page takes it.
func (f filter) Query() string { return strings.TrimPrefix(f.with(f.Page), "/?") }

// SelectAll is the address of the same page with every environment marked.
func (f filter) SelectAll() string {
	if q := f.Query(); q != "" {
		return "/?" + q + "&select=all"
	}
	return "/?select=all"
}

// Tonight is the first page.
type Tonight struct {
	Filter          filter
	Tags, Projects  []string
	States          []string
	Axis            Axis
	Rows            []Row
	Shown, All      int
	Before, After   string // addresses, "" when there is none
	Running         int
	Stopped         int
	Held            []HeldFire
	Failures        []Failure
	Alone           []string // environments that run and are in no schedule
	AlonePerDay     string   // what they cost a day, "" when it is not known
	DownAccounts    []string
	NothingSelected bool
	MayAct          bool // environments can be marked, to do something about them
}

// A Row is one environment of the first page.
type Row struct {
	Name, Project string
	Tags          []string
	Wanted        string
	Seen          string // running, stopped, busy or unknown
	SeenText      string // LCS's own word
	SeenAge       string
	Drift         bool // LCS shows something else than is wanted, and nothing is on its way
	Approval      bool
	Next          string
	NextAt        Moment
	Run           string // id of the unfinished run
	RunText       string
	Failed        *Failure
	Lane          Lane
	order         int
	run           *scheduler.Run
}

// A Failure is the last run of an environment, when it failed or was missed.
type Failure struct {
	Environment, Run, Text string
	At                     Moment
}

func (p *Pages) tonight(r *http.Request, c *clock) (any, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	all, err := p.opts.Engine.Statuses(r.Context())
	if err != nil {
		return nil, err
	}
	t := &Tonight{MayAct: access.From(r.Context()).Role >= access.Requester, Filter: f, States: filterStates(), Axis: c.axis(), All: len(all)}
	failed, err := p.failures(r, c)
	if err != nil {
		return nil, err
	}
	rows := t.rows(c, all, failed)
	t.Held = heldFires(c, all)
	t.count(rows)
	if err := p.banners(r, t, all); err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(row Row) bool { return !f.selects(&row) })
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.order, b.order) })
	t.page(rows)
	if err := p.usual(r, t.Rows); err != nil {
		return nil, err
	}
	return t, p.draw(r, c, t)
}

// rows makes a row of each environment: what failed comes first, then what differs from
// what is wanted, then what is under way.
func (t *Tonight) rows(c *clock, all []scheduler.EnvironmentStatus, failed map[string]*Failure) []Row {
	tags, projects := map[string]bool{}, map[string]bool{}
	rows := make([]Row, len(all))
	places := placesInQueue(all)
	for i, s := range all {
		rows[i] = c.row(s, places)
		rows[i].Failed = failed[s.Name]
		switch {
		case rows[i].Failed != nil:
			rows[i].order = 0
		case rows[i].Approval, rows[i].Drift:
			rows[i].order = 1
		case rows[i].Run != "":
			rows[i].order = 2
		default:
			rows[i].order = 3
		}
		projects[s.Project] = true
		for _, tag := range s.Tags {
			tags[tag] = true
		}
	}
	t.Tags, t.Projects = keys(tags), keys(projects)
	return rows
}

func keys(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func (c *clock) row(s scheduler.EnvironmentStatus, places map[string]string) Row {
	row := Row{Name: s.Name, Project: s.Project, Tags: s.Tags, Wanted: string(s.Wanted), Seen: seen(s.Observation), SeenText: "not seen yet"}
	if !s.Observation.At.IsZero() {
		row.SeenText, row.SeenAge = cmp.Or(s.Observation.DeploymentState, string(s.Observation.Condition)), c.ago(s.Observation.At)
	}
	if s.NextFire != nil {
		row.Next, row.NextAt = verb(s.NextFire.Action)+": "+s.NextFire.Reason, c.moment(s.NextFire.At)
	}
	if s.Run != nil {
		row.Run, row.RunText = s.Run.ID, runText(c, *s.Run, places[s.Run.ID])
		row.run = s.Run
		row.Approval = s.Run.Waiting == scheduler.WaitApproval
	}
	row.Drift = s.Run == nil && (row.Seen == "running" && s.Wanted == plan.Stopped || row.Seen == "stopped" && s.Wanted == plan.Running)
	return row
}

func seen(o scheduler.Observation) string {
	switch o.Condition {
	case lcs.Running:
		return "running"
	case lcs.Stopped:
		return "stopped"
	case lcs.Starting, lcs.Stopping, lcs.Busy:
		return "busy"
	case lcs.Unsupported, lcs.Unknown:
	}
	return "unknown"
}

func verb(a plan.Action) string {
	if a == plan.Start {
		return "starts"
	}
	return "stops"
}

// runText says how far an unfinished run is. place is that of one that waits for LCS's
// quota, "" when it is not known.
func runText(c *clock, r scheduler.Run, place string) string {
	text := string(r.Action) + " " + string(r.State)
	switch {
	case r.State == scheduler.Verifying:
		text += ", LCS accepted it " + c.ago(r.AcceptedAt)
	case r.Waiting == scheduler.WaitApproval:
		text = string(r.Action) + " waits for an approval"
	case r.Waiting == scheduler.WaitQuota:
		text = cmp.Or(place, string(r.Action)+" waits") + ": " + c.moment(r.NotBefore).Text + ", LCS's quota"
	case r.Waiting != "":
		text += ", waits: " + cmp.Or(r.Message, string(r.Waiting))
	}
	return text
}

// placesInQueue are the places of the runs that wait for LCS's quota, among those of the
// same action, such as "31st of 45 stops".
func placesInQueue(all []scheduler.EnvironmentStatus) map[string]string {
	waiting := map[plan.Action][]*scheduler.Run{}
	for _, s := range all {
		if s.Run != nil && s.Run.Waiting == scheduler.WaitQuota {
			waiting[s.Run.Action] = append(waiting[s.Run.Action], s.Run)
		}
	}
	places := map[string]string{}
	for action, runs := range waiting {
		slices.SortFunc(runs, func(a, b *scheduler.Run) int {
			return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
		})
		for i, r := range runs {
			places[r.ID] = fmt.Sprintf("%s of %s", ordinal(i+1), wording.Count(len(runs), string(action)))
		}
	}
	return places
}

// ordinal writes a place: 1st, 2nd, 3rd, 11th.
func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

// usual adds how long it usually takes to what LCS has accepted.
func (p *Pages) usual(r *http.Request, rows []Row) error {
	var names []string
	for _, row := range rows {
		if row.run != nil && row.run.State == scheduler.Verifying {
			names = append(names, row.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	usual, err := p.opts.Reports.Usual(r.Context(), names)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if row.run == nil || row.run.State != scheduler.Verifying {
			continue
		}
		if took := usual[row.Name][row.run.Action]; took > 0 {
			rows[i].RunText += ", usually done after " + span(took)
		}
	}
	return nil
}

// failures are the environments whose last run failed or was missed.
func (p *Pages) failures(r *http.Request, c *clock) (map[string]*Failure, error) {
	runs, err := p.opts.Reports.LastFailed(r.Context(), c.now.Add(-failedSince))
	if err != nil {
		return nil, err
	}
	failed := make(map[string]*Failure, len(runs))
	for _, run := range runs {
		failed[run.Environment] = &Failure{run.Environment, run.ID, string(run.Action) + " " + string(run.State) + ": " + run.Message, c.moment(run.FireAt)}
	}
	return failed, nil
}

func (t *Tonight) count(rows []Row) {
	for _, row := range rows {
		switch row.Seen {
		case "running":
			t.Running++
		case "stopped":
			t.Stopped++
		}
		if row.Failed != nil {
			t.Failures = append(t.Failures, *row.Failed)
		}
	}
}

// banners collects what a person should do something about.
func (p *Pages) banners(r *http.Request, t *Tonight, all []scheduler.EnvironmentStatus) error {
	cost := 0.0
	for _, s := range all {
		if s.Wanted == plan.Unknown && s.NextFire == nil && seen(s.Observation) == "running" {
			t.Alone = append(t.Alone, s.Name)
			cost += s.CostPerHour * 24
		}
	}
	if cost > 0 {
		_, currency := p.opts.Reports.Place()
		t.AlonePerDay = money(cost, currency)
	}
	accounts, err := p.opts.Engine.Accounts(r.Context())
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.State == scheduler.AccountDown {
			t.DownAccounts = append(t.DownAccounts, a.Name+": "+a.Message)
		}
	}
	return nil
}

func money(v float64, currency string) string {
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', 2, 64) + " " + currency)
}

// page leaves the rows of one page.
func (t *Tonight) page(rows []Row) {
	t.Shown, t.NothingSelected = len(rows), len(rows) == 0
	begin := min((t.Filter.Page-1)*rowsShown, len(rows))
	end := min(begin+rowsShown, len(rows))
	t.Rows = rows[begin:end]
	if begin > 0 {
		t.Before = t.Filter.with(t.Filter.Page - 1)
	}
	if end < len(rows) {
		t.After = t.Filter.with(t.Filter.Page + 1)
	}
}

// draw adds the timelines of the rows that are shown.
func (p *Pages) draw(r *http.Request, c *clock, t *Tonight) error {
	names := make([]string, len(t.Rows))
	at := make(map[string]int, len(t.Rows))
	for i, row := range t.Rows {
		names[i], at[row.Name] = row.Name, i
	}
	if len(names) == 0 {
		return nil
	}
	return p.opts.Reports.Timeline(r.Context(), t.Axis.From, t.Axis.To, names, func(row report.Row) error {
		t.Rows[at[row.Environment.Name]].Lane = c.lane(&t.Axis, row)
		return nil
	})
}
