package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
)

// Changes are what forms ask for, each carried out if the identity of its context may: see
// access.Changes.
type Changes interface {
	Could(ctx context.Context, do access.Action, until time.Time, environments ...string) error
	Budgets(ctx context.Context) ([]access.Budget, error)
	Request(ctx context.Context, environment string, action plan.Action) (scheduler.Run, error)
	Override(ctx context.Context, o scheduler.Override) (kept scheduler.Override, made bool, err error)
	Skip(ctx context.Context, environment string) (o scheduler.Override, made bool, err error)
	Release(ctx context.Context, id string) (scheduler.Override, error)
	Cancel(ctx context.Context, id string) (scheduler.Run, error)
	Approve(ctx context.Context, id string) ([]scheduler.Run, error)
}

// largestForm bounds what a form may send: a page of environments and a reason fit.
const largestForm = 1 << 20

// What forms ask for, as their addresses say it.
const (
	doStart = "start"
	doStop  = "stop"
	doKeep  = "keep"
	doSkip  = "skip"
)

// A wish is what a form asks for.
type wish struct {
	do           string
	environments []string
	keep         plan.Wanted
	until        time.Time
	reason       string
}

// action is what access is asked about.
func (w wish) action() access.Action {
	switch w.do {
	case doStart:
		return access.Start
	case doStop:
		return access.Stop
	case doSkip:
		return access.Skip
	}
	return access.KeepOf(w.keep)
}

// readForm reads the fields of a form.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, largestForm)
	if err := r.ParseForm(); err != nil {
		return &scheduler.InvalidError{Message: "the form cannot be read: open the page again, and send it from there"}
	}
	for name, values := range r.PostForm {
		if !scheduler.ValidText(name) || slices.ContainsFunc(values, func(v string) bool { return !scheduler.ValidText(v) }) {
			return &scheduler.InvalidError{Message: "the form has text that is not UTF-8, or has NUL in it: open the page again, and send it from there"}
		}
	}
	return nil
}

// wishOf reads what a form asks for, of environments.
func wishOf(r *http.Request, c *clock, do string, environments []string) (wish, error) {
	w := wish{do: do, environments: environments, keep: plan.Wanted(r.PostForm.Get("keep")), reason: strings.TrimSpace(r.PostForm.Get("reason"))}
	if w.keep == "" {
		w.keep = plan.Running
	}
	switch {
	case len(environments) == 0:
		return w, &scheduler.InvalidError{Message: "no environment is selected: select one at least"}
	case do != doStart && do != doStop && do != doKeep && do != doSkip:
		return w, &scheduler.InvalidError{Message: "what to do is not known: open the page again, and send it from there"}
	case do != doKeep:
		return w, nil
	}
	var err error
	w.until, err = untilOf(r.PostForm, c)
	return w, err
}

// untilOf reads the end of an override: of a button, or the time that somebody wrote.
func untilOf(form url.Values, c *clock) (time.Time, error) {
	if s := form.Get("until"); s != "" {
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			return at, nil
		}
	}
	local, err := time.Parse("2006-01-02T15:04", form.Get("at"))
	if err != nil {
		return local, &scheduler.InvalidError{Message: "until: want a day and a time, such as " + c.now.In(c.zone).Format("2006-01-02") + " 20:00"}
	}
	return plan.Resolve(plan.DateOf(local), local.Hour()*60+local.Minute(), c.zone), nil
}

// A done is what was carried out, for the notice of the page that comes next.
type done struct {
	did   string // what, again for an override that was there already, or didAskedFor
	of    string // id of the override or the run
	count int    // of environments or runs, when there are several
}

func (d done) query() string {
	q := url.Values{"did": {d.did}}
	if d.of != "" {
		q.Set("of", d.of)
	}
	if d.count > 1 {
		q.Set("n", strconv.Itoa(d.count))
	}
	return q.Encode()
}

// carryOut does what a form asks for.
func (p *Pages) carryOut(ctx context.Context, w wish) (done, error) {
	if err := p.opts.Changes.Could(ctx, w.action(), w.until, w.environments...); err != nil {
		return done{}, err
	}
	if w.do == doKeep {
		o, made, err := p.opts.Changes.Override(ctx, scheduler.Override{Environments: w.environments, Keep: w.keep, Until: w.until, Reason: w.reason})
		return done{doneAs(doKeep, made), o.ID, len(w.environments)}, err
	}
	result := done{did: w.do, count: len(w.environments)}
	for i, name := range w.environments {
		did, id, err := p.one(ctx, w.do, name)
		if err != nil && len(w.environments) > 1 {
			return result, fmt.Errorf("%d of %d environments are done; %s: %w", i, len(w.environments), name, err)
		}
		if err != nil {
			return result, err
		}
		if len(w.environments) == 1 {
			result.did, result.of = did, id
		}
	}
	return result, nil
}

// one starts or stops one environment, or skips its stop.
func (p *Pages) one(ctx context.Context, do, name string) (did, id string, err error) {
	if do == doSkip {
		o, made, err := p.opts.Changes.Skip(ctx, name)
		return doneAs(doSkip, made), o.ID, err
	}
	action := plan.Start
	if do == doStop {
		action = plan.Stop
	}
	run, made, err := p.requests.ask(ctx, name, action)
	if !made {
		do = didAskedFor
	}
	return do, run.ID, err
}

func doneAs(do string, made bool) string {
	if made {
		return do
	}
	return "again"
}

// changed makes a handler of a form: what it asks for is carried out, and the browser goes
// on to another page, which says so. What did not work is shown on the page with the form.
func (p *Pages) changed(name string, carryOut func(r *http.Request, c *clock) (to string, err error), page func(r *http.Request, c *clock) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := p.clock()
		err := readForm(w, r)
		to := ""
		if err == nil {
			to, err = carryOut(r, c)
		}
		if err == nil {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		status, what := p.fault(r, err)
		body, perr := page(r, c)
		t, titled := body.(interface{ title() string })
		if perr != nil || !titled {
			p.Problem(w, r, status, "Nothing was changed", what)
			return
		}
		f := p.frame(r, c, name, t.title(), body)
		f.Failed = what
		p.write(w, r, status, name, f)
	}
}

// fault returns the status and the sentence of what went wrong.
func (p *Pages) fault(r *http.Request, err error) (status int, what string) {
	var refused *access.Denied
	var invalid *scheduler.InvalidError
	switch {
	case errors.As(err, &refused):
		return http.StatusForbidden, refused.Message
	case errors.As(err, &invalid):
		return http.StatusBadRequest, strings.TrimSuffix(err.Error(), invalid.Error()) + invalid.Message
	case errors.Is(err, scheduler.ErrNoEnvironment), errors.Is(err, scheduler.ErrNoRun), errors.Is(err, scheduler.ErrNoOverride), errors.Is(err, scheduler.ErrNoCalendarKey):
		return http.StatusNotFound, "There is " + err.Error() + ". Open the page again: somebody may have changed it."
	case errors.Is(err, scheduler.ErrOver):
		return http.StatusConflict, "The override has ended already: there is nothing to release."
	case errors.Is(err, scheduler.ErrFinished):
		return http.StatusConflict, "The run has ended already, or does not wait for that: there is nothing to do."
	}
	p.log.Error("form not carried out", zap.String("path", r.URL.Path), zap.Error(err))
	return http.StatusInternalServerError, "It could not be done. Try again; the daemon's log says why."
}

// ofEnvironment carries out a form of the page of an environment.
func (p *Pages) ofEnvironment(do string) func(r *http.Request, c *clock) (string, error) {
	return func(r *http.Request, c *clock) (string, error) {
		w, err := wishOf(r, c, do, []string{r.PathValue("name")})
		if err != nil {
			return "", err
		}
		result, err := p.carryOut(r.Context(), w)
		return pageOf(r) + result.query(), err
	}
}

// pageOf is the address of the page of an environment, for a query.
func pageOf(r *http.Request) string {
	return "/environments/" + url.PathEscape(r.PathValue("name")) + "?"
}

// release ends the override that a form names.
func (p *Pages) release(r *http.Request, _ *clock) (string, error) {
	o, err := p.opts.Changes.Release(r.Context(), r.PostForm.Get("override"))
	return pageOf(r) + done{did: "release", of: o.ID}.query(), err
}

// ofSelected carries out the form of the page that asks about several environments.
func (p *Pages) ofSelected(r *http.Request, c *clock) (string, error) {
	w, err := wishOf(r, c, r.PostForm.Get("do"), r.PostForm["environment"])
	if err != nil {
		return "", err
	}
	result, err := p.carryOut(r.Context(), w)
	back := "/?" + result.query()
	if kept := keptFilter(r.PostForm.Get("filter")); kept != "" {
		back += "&" + kept
	}
	return back, err
}

// keptFilter returns the filter of the first page that a form carries along, "" for
// anything else.
func keptFilter(s string) string {
	q, err := url.ParseQuery(s)
	if err != nil {
		return ""
	}
	kept := url.Values{}
	for _, name := range filterNames() {
		if v := q.Get(name); v != "" {
			kept.Set(name, v)
		}
	}
	return kept.Encode()
}

// cancel ends a run.
func (p *Pages) cancel(r *http.Request, _ *clock) (string, error) {
	run, err := p.opts.Changes.Cancel(r.Context(), r.PathValue("id"))
	return "/runs/" + url.PathEscape(run.ID) + "?" + done{did: "cancel"}.query(), err
}

// approve lets the fire of a run go.
func (p *Pages) approve(r *http.Request, _ *clock) (string, error) {
	id := r.PathValue("id")
	runs, err := p.opts.Changes.Approve(r.Context(), id)
	return "/runs/" + url.PathEscape(id) + "?" + done{did: "approve", count: len(runs)}.query(), err
}
