package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// How far coming fires are examined, and what that may cost.
const (
	zoneHorizon  = 60 * day // a change of the clocks after it earns a note, and no warning
	quotaHorizon = 14 * day
	maxFires     = 200_000 // of environments with the same rules
	maxChecked   = 5000    // schedules examined for changes of the clocks
	maxChanges   = 2       // changes of the clocks reported of a schedule
)

// lookAhead reports what is true of the coming fires and may surprise.
func (d *decoder) lookAhead() {
	p, err := plan.Compile(d.cfg.Spec)
	if err != nil {
		d.placeRefusal(err)
		return
	}
	if d.opts.Now.IsZero() {
		return
	}
	all := d.warnSchedules()
	if !d.warnZoneChanges() || !d.warnQuota(p) || !all {
		d.report(Warning, 1, 1, msgNoLookahead)
	}
}

// placeRefusal reports why the plan refuses the file, at the schedules that it
// refuses on their own.
func (d *decoder) placeRefusal(err error) {
	before := len(d.diags)
	for _, s := range d.schedules {
		if !s.Enabled {
			continue
		}
		if _, alone := d.compileAlone(s); alone != nil {
			for why := range strings.SplitSeq(alone.Error(), "\n") { // one a line, as errors.Join has it
				d.errorf(s.place, msgRule, why)
			}
		}
	}
	if len(d.diags) == before {
		d.fileError(msgRule, err)
	}
}

// compileAlone is the plan of one schedule, on one of its environments.
func (d *decoder) compileAlone(s scheduleEntry) (*plan.Plan, error) {
	one := s.Environments[:min(1, len(s.Environments))]
	return plan.Compile(plan.Spec{
		Environments: one,
		Schedules: []plan.Schedule{{
			Name: s.Name, Environments: one, Location: s.Location,
			Uptime: s.Uptime, Starts: s.Starts, Stops: s.Stops, Calendar: d.built[s.Calendar], Lead: s.Lead.Fixed,
		}},
	})
}

// warnZoneChanges reports fires that a change of the clocks moves. It returns whether
// all schedules could be examined.
func (d *decoder) warnZoneChanges() bool {
	if len(d.schedules) > maxChecked {
		return false
	}
	changes := map[*time.Location][]time.Time{}
	for i, s := range d.schedules {
		if !s.Enabled || len(s.Environments) == 0 {
			continue
		}
		at, ok := changes[s.Location]
		if !ok {
			at = zoneChanges(s.Location, d.opts.Now, d.opts.Now.Add(yearAhead*day))
			changes[s.Location] = at
		}
		if !d.opts.Notes || i >= maxNotes {
			at = slices.DeleteFunc(slices.Clone(at), d.isFar)
		}
		if len(at) > 0 {
			d.warnScheduleAt(s, at)
		}
	}
	return true
}

// isFar reports whether a change of the clocks earns a note, and no warning.
func (d *decoder) isFar(change time.Time) bool { return change.After(d.opts.Now.Add(zoneHorizon)) }

// zoneChanges are the instants from from to to at which the clocks of loc change.
func zoneChanges(loc *time.Location, from, to time.Time) []time.Time {
	var list []time.Time
	for t := from; ; {
		_, end := t.In(loc).ZoneBounds()
		if end.IsZero() || end.After(to) {
			return list
		}
		list = append(list, end)
		t = end
	}
}

// warnScheduleAt reports the next changes of the clocks that move fires of one schedule.
func (d *decoder) warnScheduleAt(s scheduleEntry, changes []time.Time) {
	p, err := d.compileAlone(s)
	if err != nil {
		return
	}
	reported := 0
	for _, at := range changes {
		if reported == maxChanges {
			return
		}
		if d.warnChange(s, p, at) {
			reported++
		}
	}
}

// warnChange reports the first start and the first stop of a schedule that a change of
// the clocks moves. It returns whether there is one.
func (d *decoder) warnChange(s scheduleEntry, p *plan.Plan, change time.Time) bool {
	severity := Warning
	if d.isFar(change) {
		severity = Note
	}
	seen := map[plan.Action]bool{}
	for _, f := range p.Fires(change.Add(-day), change.Add(time.Second)) { // times that are skipped fire at the change
		if seen[f.Action] || f.At.Before(d.opts.Now) || !plan.ChangesNear(f.At) {
			continue
		}
		if text, ok := p.ZoneChange(f); ok {
			seen[f.Action] = true
			d.report(severity, s.place.Line, s.place.Column, msgZoneChange, s.Name, f.Action, f.At.Format("2006-01-02"), text)
		}
	}
	return len(seen) > 0
}

// warnQuota reports, for each set of accounts and action, the fire that takes
// longest, if LCS does not let it be done at once. It returns whether all fires could
// be examined.
func (d *decoder) warnQuota(p *plan.Plan) bool {
	left := maxFires
	held := newApprovals(d.cfg.Defaults.MaxStopsPerFire)
	batches := func(yield func(plan.Batch) bool) {
		for b := range p.Batches(d.opts.Now.Add(-Lookback), d.opts.Now.Add(quotaHorizon)) {
			if left--; left < 0 {
				return
			}
			if !b.At.Before(d.opts.Now) {
				held.add(b)
			}
			if !yield(b) {
				return
			}
		}
	}
	worst := map[string]Forecast{}
	for f := range d.cfg.Forecasts(batches) {
		if f.At.Before(d.opts.Now) {
			continue
		}
		key := fmt.Sprintf("%s %q", f.Action, f.Accounts)
		if w, found := worst[key]; !found || f.delay() > w.delay() || f.delay() == w.delay() && f.Calls > w.Calls {
			worst[key] = f
		}
	}
	d.warnApprovals(held)
	places := d.places()
	for _, f := range worst {
		if place := places[f.Schedule]; place != nil {
			d.warnf(place, msgQuota, strings.ToLower(f.At.Format("Mon 15:04")), f.Action, f.Calls, several(f.Projects), f.With(),
				quota.PerAccount.Calls, int(quota.PerAccount.Window/time.Minute), count(f.delay(), "minute"), f.Needed)
		}
	}
	return left >= 0
}

// places are the nodes of schedules and exceptions by the name that their fires carry.
func (d *decoder) places() map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	for _, s := range d.schedules {
		all[s.Name] = s.place
	}
	for i, e := range d.cfg.Exceptions {
		all[e.Name] = d.exceptions[i]
	}
	return all
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
