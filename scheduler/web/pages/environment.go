package pages

import (
	"net/http"
	"net/url"

	"curfew/scheduler"
	"curfew/scheduler/report"
	"curfew/scheduler/web/access"
)

// runsOfEnvironment is how many of its last runs the page of an environment lists.
const runsOfEnvironment = 20

// An EnvironmentPage is all that is known of one environment.
type EnvironmentPage struct {
	Row
	Actions
	RunForms    []Form // to cancel or approve the unfinished run
	ID          string
	LCSName     string
	CostPerHour string
	Axis        Axis
	Because     string
	Steps       []string
	Week        []Period
	Marks       []string
	Overrides   []OverrideLine
	Runs        []RunLine
}

func (e *EnvironmentPage) title() string { return e.Name }

// A Period is a stretch of the week in words: what the drawing shows, for reading.
type Period struct {
	Wanted   string
	From, To Moment
	Because  string
}

func (p *Pages) environment(r *http.Request, c *clock) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	all, err := p.opts.Engine.Statuses(r.Context())
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Name == name {
			row := []Row{c.row(s, placesInQueue(all))}
			if err := p.usual(r, row); err != nil {
				return nil, err
			}
			return p.environmentPage(r, c, s, row[0])
		}
	}
	return nil, &notFound{"There is no environment " + name, "The active schedule file does not have it. The first page lists those that it has."}
}

func (p *Pages) environmentPage(r *http.Request, c *clock, s scheduler.EnvironmentStatus, row Row) (any, error) {
	_, currency := p.opts.Reports.Place()
	e := &EnvironmentPage{Row: row, ID: s.ID, LCSName: s.Observation.Name, Axis: c.axis()}
	if s.CostPerHour > 0 {
		e.CostPerHour = money(s.CostPerHour, currency)
	}
	d, err := p.opts.Reports.Explain(r.Context(), s.Name, c.now)
	if err != nil {
		return nil, err
	}
	e.Because, e.Steps = d.Because, d.Steps
	err = p.opts.Reports.Timeline(r.Context(), e.Axis.From, e.Axis.To, []string{s.Name}, func(row report.Row) error {
		e.Lane = c.lane(&e.Axis, row)
		for _, w := range row.Wanted {
			if !w.To.After(c.now) {
				continue
			}
			e.Week = append(e.Week, Period{string(w.Wanted), c.moment(w.From), c.moment(w.To), w.Because})
		}
		for _, m := range row.Marks {
			e.Marks = append(e.Marks, m.At.Format("Mon 2 Jan")+": "+m.Text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if e.Overrides, err = p.overridesOf(r, c, s.Name); err != nil {
		return nil, err
	}
	of, err := p.subject(r.Context(), []scheduler.EnvironmentStatus{s}, func(do string) string { return "/environments/" + url.PathEscape(s.Name) + "/" + do })
	if err != nil {
		return nil, err
	}
	if e.Actions, err = p.choices(r, c, of, doStart, doStop, doKeep, doSkip); err != nil {
		return nil, err
	}
	if s.Run != nil {
		e.RunForms = runForms(access.From(r.Context()), *s.Run)
	}
	runs, _, err := p.opts.Engine.Runs(r.Context(), scheduler.RunFilter{Environment: s.Name, Limit: runsOfEnvironment})
	for _, run := range runs {
		e.Runs = append(e.Runs, c.runLine(run))
	}
	return e, err
}
