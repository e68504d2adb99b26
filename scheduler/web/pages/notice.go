package pages

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// didAskedFor is what a form has done that asked for a start or stop a second time.
const didAskedFor = "asked"

// notice returns what the form before has done, in a sentence, and the request without
// what says so. An address only names it: the sentence is made from what is there now.
func (p *Pages) notice(r *http.Request, c *clock) (string, *http.Request) {
	q := r.URL.Query()
	did, of := q.Get("did"), q.Get("of")
	if did == "" {
		return "", r
	}
	n, _ := strconv.Atoi(q.Get("n"))
	for _, name := range []string{"did", "of", "n"} {
		q.Del(name)
	}
	ctx := r.Context()
	r = r.Clone(ctx)
	r.URL.RawQuery = q.Encode()
	switch did {
	case doStart, doStop:
		return requestedText(did, n), r
	case didAskedFor:
		return "Nothing was added: you have asked for it already. It is done when LCS shows it.", r
	case doKeep, doSkip, "again", "release":
		return p.overrideText(ctx, c, did, of, n), r
	case "cancel":
		return "The run is canceled. A call that LCS has accepted goes on there.", r
	case "approve":
		return fmt.Sprintf("Approved: %s now.", count(max(n, 1), "run goes on", "runs go on")), r
	case "revoke":
		return "The calendar key is revoked: whoever subscribed with it gets nothing more.", r
	}
	return "", r
}

func requestedText(did string, n int) string {
	if n > 1 {
		return fmt.Sprintf("A %s of %d environments was asked for. It is done when LCS shows it.", did, n)
	}
	return fmt.Sprintf("A %s was asked for. It is done when LCS shows it.", did)
}

// overrideText says what an override does that a form has made or released.
func (p *Pages) overrideText(ctx context.Context, c *clock, did, id string, n int) string {
	if n > 1 && did == doSkip {
		return fmt.Sprintf("The next stop of %d environments is left out.", n)
	}
	o, ok := p.findOverride(ctx, id)
	if !ok {
		return ""
	}
	names := listed(o.Environments)
	switch did {
	case "release":
		return fmt.Sprintf("The override of %s is released. What the schedules want now is done.", names)
	case "again":
		return fmt.Sprintf("Nothing was added: an override keeps %s %s until %s already.", names, o.Keep, c.moment(o.Until).Text)
	case doSkip:
		return fmt.Sprintf("The stop is left out: %s %s until %s.", names, keeps(o.Keep, len(o.Environments)), c.moment(o.Until).Text)
	}
	return fmt.Sprintf("%s %s until %s. Then the schedules decide again.", names, keeps(o.Keep, len(o.Environments)), c.moment(o.Until).Text)
}

func keeps(state plan.Wanted, n int) string {
	if n == 1 {
		return "is kept " + string(state)
	}
	return "are kept " + string(state)
}

func (p *Pages) findOverride(ctx context.Context, id string) (scheduler.OverrideStatus, bool) {
	all, err := p.opts.Engine.Overrides(ctx)
	if err != nil {
		return scheduler.OverrideStatus{}, false
	}
	for _, o := range all {
		if o.ID == id {
			return o, true
		}
	}
	return scheduler.OverrideStatus{}, false
}

// count writes a number with what it counts.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// listed writes names, the first few of many.
func listed(names []string) string {
	const shown = 5
	text := ""
	for i, name := range names {
		switch {
		case i == shown && len(names) > shown+1:
			return fmt.Sprintf("%s and %d more", text, len(names)-shown)
		case i > 0:
			text += ", "
		}
		text += name
	}
	return text
}
