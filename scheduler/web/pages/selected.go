package pages

import (
	"fmt"
	"net/http"
	"slices"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// Selected is the page that asks about several environments before anything happens.
type Selected struct {
	Actions
	Do      string
	Lines   []SelectedLine
	Back    string // to the first page
	Nothing bool   // no environment is selected
}

func (s *Selected) title() string {
	return map[string]string{doStart: "Start environments", doStop: "Stop environments", doKeep: "Keep environments running", doSkip: "Skip the next stop"}[s.Do]
}

// A SelectedLine is one environment of them, and what happens to it.
type SelectedLine struct {
	Name, Seen, Wanted, Says string
}

// selected is the page of the environments that the first page has marked. It is shown
// again, with the same, when its form fails.
func (p *Pages) selected(r *http.Request, c *clock) (any, error) {
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		q = r.PostForm
	}
	page := &Selected{Do: q.Get("do"), Back: "/"}
	if page.title() == "" {
		return nil, &badQuery{"do: want one of start, stop, keep, skip"}
	}
	kept := keptFilter(q.Get("filter"))
	if kept != "" {
		page.Back += "?" + kept
	}
	names := slices.Compact(slices.Sorted(slices.Values(q["environment"])))
	if page.Nothing = len(names) == 0; page.Nothing {
		return page, nil
	}
	all, err := p.opts.Engine.Statuses(r.Context())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(e scheduler.EnvironmentStatus) bool { return !slices.Contains(names, e.Name) })
	if len(all) != len(names) {
		return nil, &badQuery{"environment: the active schedule file does not have each of " + listed(names)}
	}
	fields := []Field{{"do", page.Do}, {"filter", kept}}
	for _, name := range names {
		fields = append(fields, Field{"environment", name})
	}
	s, err := p.subject(r.Context(), all, func(string) string { return "/selected" }, fields...)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		page.Lines = append(page.Lines, SelectedLine{e.Name, seen(e.Observation), string(e.Wanted), s.lineText(c, page.Do, e)})
	}
	page.Actions, err = p.choices(r, c, s, page.Do)
	return page, err
}

// lineText says what an action means for one of several environments.
func (s *subject) lineText(c *clock, do string, e scheduler.EnvironmentStatus) string {
	switch do {
	case doStart, doStop:
		keep := plan.Running
		if do == doStop {
			keep = plan.Stopped
		}
		until := nextFire(s.coming, e.Name, c.now)
		if !until.Before(c.now.Add(farthest)) {
			return "no schedule changes it afterwards"
		}
		return fmt.Sprintf("until %s%s", c.moment(until).Text, effectText(report.EffectOf(s.coming, e, keep, c.now, until), s.currency))
	case doSkip:
		skip, ok := s.file.Skip(e.Name, c.now, c.now.Add(scheduler.LongestOverride))
		if !ok {
			return "has no stop to leave out"
		}
		return fmt.Sprintf("the stop at %s is left out; kept running until %s%s", c.moment(skip.Stop.At).Text, c.moment(skip.Until).Text,
			effectText(report.EffectOf(s.coming, e, plan.Running, skip.From, skip.Until), s.currency))
	}
	if e.NextFire == nil {
		return "nothing within 14 days"
	}
	return verb(e.NextFire.Action) + " " + c.moment(e.NextFire.At).Text + ": " + e.NextFire.Reason
}
