package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/web/access"
)

// An OverrideLine is one override in a list.
type OverrideLine struct {
	ID, Of, Keep, State, Reason, By string
	From, Until                     Moment
	YAML                            string // an entry of exceptions that does the same
	Release                         *Form  // nil when there is nothing to release, or it is not theirs
}

// overridesOf returns the overrides of an environment.
func (p *Pages) overridesOf(r *http.Request, c *clock, name string) ([]OverrideLine, error) {
	all, err := p.opts.Engine.Overrides(r.Context())
	if err != nil {
		return nil, err
	}
	var list []OverrideLine
	for _, o := range all {
		if slices.Contains(o.Environments, name) {
			list = append(list, p.overrideLine(c, o, access.From(r.Context())))
		}
	}
	return list, nil
}

func (p *Pages) overrideLine(c *clock, o scheduler.OverrideStatus, who access.Identity) OverrideLine {
	l := OverrideLine{
		ID: o.ID, Of: listed(o.Environments), Keep: string(o.Keep), State: o.State, Reason: o.Reason, By: o.By.String(), From: c.moment(o.From), Until: c.moment(o.Until),
	}
	if o.State != "active" && o.State != "pending" {
		return l
	}
	l.YAML = exceptionOf(o.Override)
	if len(o.Environments) > 0 && who.MayRelease(o.Override) == nil {
		l.Release = &Form{
			To: "/environments/" + url.PathEscape(o.Environments[0]) + "/release", Says: "Ends it at once for " + l.Of + ": what the schedules want then is done.",
			Fields: []Field{{"override", o.ID}}, Options: []Option{{Text: "Release"}},
		}
	}
	return l
}

// exceptionOf writes an override as an entry of the schedule file's exceptions.
func exceptionOf(o scheduler.Override) string {
	names := make([]string, len(o.Environments))
	for i, name := range o.Environments {
		names[i] = quoted(name)
	}
	text := fmt.Sprintf("- {environments: [%s], from: %s, until: %s, keep: %s", strings.Join(names, ", "), quoted(o.From.Format(time.RFC3339)), quoted(o.Until.Format(time.RFC3339)), o.Keep)
	if o.Reason != "" {
		text += ", reason: " + quoted(o.Reason)
	}
	return text + "}"
}

// quoted writes a text as JSON does, which YAML reads the same.
func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text never fails
	return strings.TrimSuffix(b.String(), "\n")
}
