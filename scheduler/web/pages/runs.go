package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
)

// Runs is a page of the history.
type Runs struct {
	Environment, State, Since string
	States                    []string
	Runs                      []RunLine
	Next                      string // address of the older ones, "" when there are none
}

// A RunLine is one run in a list.
type RunLine struct {
	ID, Environment, Action, State, Trigger, Schedule, By, Message string
	FireAt                                                         Moment
	Took                                                           string
	Bad                                                            bool
}

func (c *clock) runLine(r scheduler.Run) RunLine {
	l := RunLine{
		ID: r.ID, Environment: r.Environment, Action: string(r.Action), State: string(r.State), Trigger: string(r.Trigger), Schedule: r.Schedule, By: r.By.String(),
		Message: r.Message, FireAt: c.moment(r.FireAt), Bad: r.State == scheduler.Failed || r.State == scheduler.Missed,
	}
	if r.State == scheduler.Succeeded && !r.AcceptedAt.IsZero() {
		l.Took = span(r.FinishedAt.Sub(r.AcceptedAt))
	}
	return l
}

func (p *Pages) runs(r *http.Request, c *clock) (any, error) {
	q, err := query(r, "environment", "state", "since", "cursor")
	if err != nil {
		return nil, err
	}
	page := &Runs{Environment: q.Get("environment"), State: q.Get("state"), Since: q.Get("since")}
	for _, s := range scheduler.States() {
		page.States = append(page.States, string(s))
	}
	f := scheduler.RunFilter{Environment: page.Environment, State: scheduler.State(page.State), Cursor: q.Get("cursor"), Limit: 100}
	switch {
	case f.State != "" && !f.State.Valid():
		return nil, &badQuery{"state: want one of " + strings.Join(page.States, ", ")}
	case f.Cursor != "" && uuid.Validate(f.Cursor) != nil:
		return nil, &badQuery{"cursor: want that of a link of this page"}
	}
	if page.Since != "" {
		day, err := plan.ParseDate(page.Since)
		if err != nil {
			return nil, &badQuery{"since: want a day such as " + c.now.In(c.zone).Format(time.DateOnly)}
		}
		f.Since = day.In(c.zone)
	}
	found, next, err := p.opts.Engine.Runs(r.Context(), f)
	if err != nil {
		return nil, err
	}
	for _, run := range found {
		page.Runs = append(page.Runs, c.runLine(run))
	}
	if next != "" {
		older := url.Values{"cursor": {next}}
		for name, value := range map[string]string{"environment": page.Environment, "state": page.State, "since": page.Since} {
			if value != "" {
				older.Set(name, value)
			}
		}
		page.Next = "/runs?" + older.Encode()
	}
	return page, nil
}

// A RunPage is one run with its attempts.
type RunPage struct {
	RunLine
	Project            string
	Accepted, Finished Moment
	ActivityID         string
	SupersededBy       string
	Progress           string // how far it is, "" when it has ended
	Attempts           []AttemptLine
	Forms              []Form // to cancel or approve it
}

func (p *RunPage) title() string {
	return fmt.Sprintf("%s of %s: %s", p.Action, p.Environment, p.State)
}

// An AttemptLine is one call of a run.
type AttemptLine struct {
	At                                    Moment
	Account, Outcome, Message, ActivityID string
	Unseen                                bool
}

func (p *Pages) run(r *http.Request, c *clock) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	run, err := p.opts.Engine.FindRun(r.Context(), r.PathValue("id"))
	switch {
	case err != nil && isNoRun(err):
		return nil, &notFound{"There is no such run", "It may be older than the history that is kept. The page Runs lists those there are."}
	case err != nil:
		return nil, err
	}
	page := &RunPage{
		RunLine: c.runLine(run), Project: run.Project, Accepted: c.moment(run.AcceptedAt), Finished: c.moment(run.FinishedAt), ActivityID: run.OperationActivityID,
		SupersededBy: run.SupersededBy,
	}
	if !run.State.Finished() {
		page.Progress = runText(c, run, "")
		page.Forms = runForms(access.From(r.Context()), run)
	}
	for _, a := range run.Attempts {
		page.Attempts = append(page.Attempts, AttemptLine{c.moment(a.At), a.Account, string(a.Outcome), a.Message, a.OperationActivityID, a.Unseen})
	}
	return page, nil
}

// runForms are the forms about an unfinished run that somebody may use.
func runForms(who access.Identity, run scheduler.Run) []Form {
	var list []Form
	to := "/runs/" + url.PathEscape(run.ID) + "/"
	if run.Waiting == scheduler.WaitApproval && who.May(access.Approve, run.Environment) == nil {
		list = append(list, Form{To: to + "approve", Title: "Approve the fire", Says: "Every run of its fire that waits goes on, as fast as LCS's quota allows.", Options: []Option{{Text: "Approve"}}})
	}
	if who.May(access.Cancel, run.Environment) == nil {
		list = append(list, Form{To: to + "cancel", Title: "Cancel the " + string(run.Action), Says: "The run ends as canceled. A call that LCS has accepted goes on there.", Options: []Option{{Text: "Cancel the run"}}})
	}
	return list
}
