package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"curfew/scheduler/plan"
)

// How far coming fires are examined, and what that may cost.
const (
	zoneHorizon  = 60 * day
	quotaHorizon = 14 * day
	maxGroups    = 3000    // environments with rules of their own
	maxFires     = 200_000 // of all groups together
	maxChecked   = 5000    // schedules examined for changes of the clocks
)

// lookAhead reports what is true of the coming fires and may surprise.
func (d *decoder) lookAhead() {
	if _, err := plan.Compile(d.cfg.Spec); err != nil {
		d.placeRefusal(err)
		return
	}
	if d.opts.Now.IsZero() {
		return
	}
	if !d.warnZoneChanges() || !d.warnQuota() {
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

// warnZoneChanges reports fires that a change of the clocks moves. It tells whether
// all schedules could be examined.
func (d *decoder) warnZoneChanges() bool {
	if len(d.schedules) > maxChecked {
		return false
	}
	changes := map[*time.Location][]time.Time{}
	for _, s := range d.schedules {
		if !s.Enabled || len(s.Environments) == 0 {
			continue
		}
		at, ok := changes[s.Location]
		if !ok {
			at = zoneChanges(s.Location, d.opts.Now, d.opts.Now.Add(zoneHorizon))
			changes[s.Location] = at
		}
		if len(at) > 0 {
			d.warnScheduleAt(s, at)
		}
	}
	return true
}

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

// warnScheduleAt examines the fires of one schedule round changes of the clocks.
func (d *decoder) warnScheduleAt(s scheduleEntry, changes []time.Time) {
	p, err := d.compileAlone(s)
	if err != nil {
		return
	}
	for _, at := range changes {
		for _, f := range p.Fires(at.Add(-day), at.Add(day)) {
			if text, ok := p.ZoneChange(f); ok && !f.At.Before(d.opts.Now) {
				d.warnf(s.place, msgZoneChange, s.Name, f.Action, f.At.Format("2006-01-02"), text)
			}
		}
	}
}

// A group is the environments to which the same rules apply: what holds of one of
// them holds of all.
type group struct {
	environment string         // one of them
	projects    map[string]int // how many there are, by project
}

// groups puts environments with the same schedules and exceptions together.
func (d *decoder) groups() []*group {
	rules := map[string]*strings.Builder{}
	note := func(environments []string, kind string, i int) {
		for _, e := range environments {
			if rules[e] == nil {
				rules[e] = &strings.Builder{}
			}
			fmt.Fprintf(rules[e], "%s%d ", kind, i)
		}
	}
	for i, s := range d.cfg.Spec.Schedules {
		note(s.Environments, "s", i)
	}
	for i, e := range d.cfg.Spec.Exceptions {
		note(e.Environments, "e", i)
	}
	found := map[string]*group{}
	var list []*group
	for _, e := range d.cfg.Environments {
		if rules[e.Name] == nil {
			continue
		}
		key := rules[e.Name].String()
		if found[key] == nil {
			found[key] = &group{e.Name, map[string]int{}}
			list = append(list, found[key])
		}
		found[key].projects[e.Project]++
	}
	return list
}

// A burst is the calls that one instant asks of one set of accounts.
type burst struct {
	at       time.Time
	action   plan.Action
	schedule string
	accounts int
	projects []string
	calls    int
}

// warnQuota reports, for each set of accounts and action, the fire that takes
// longest, if LCS does not let it be done at once. It tells whether all fires could
// be examined.
func (d *decoder) warnQuota() bool {
	bursts, ok := d.bursts()
	worst := map[string]*burst{}
	for key, b := range bursts {
		key = key[strings.Index(key, "|")+1:] // without the instant
		w := worst[key]
		if w == nil || b.calls > w.calls || b.calls == w.calls && b.at.Before(w.at) {
			worst[key] = b
		}
	}
	places := d.places()
	for _, b := range worst {
		delay, wanted := queueing(b.calls, b.accounts)
		place := places[b.schedule]
		if delay == 0 || place == nil {
			continue
		}
		slices.Sort(b.projects)
		d.warnf(place, msgQuota, strings.ToLower(b.at.Format("Mon 15:04")), b.action, b.calls,
			several(b.projects), count(b.accounts, "account"),
			callsPerWindow, int(callWindow/time.Minute), int(delay/time.Minute), wanted)
	}
	return ok
}

// bursts counts the calls of coming fires by instant, accounts and action.
func (d *decoder) bursts() (map[string]*burst, bool) {
	groups := d.groups()
	if len(groups) > maxGroups {
		return nil, false
	}
	p, err := plan.Compile(d.cfg.Spec)
	if err != nil {
		return nil, false
	}
	projects := map[string]Project{}
	for _, pr := range d.cfg.Projects {
		projects[pr.Name] = pr
	}
	found := map[string]*burst{}
	left := maxFires
	for _, g := range groups {
		fires := p.Fires(d.opts.Now, d.opts.Now.Add(quotaHorizon), g.environment)
		if left -= len(fires) * len(g.projects); left < 0 {
			return found, false
		}
		for _, f := range fires {
			for name, n := range g.projects {
				add(found, f, projects[name], n)
			}
		}
	}
	return found, true
}

func add(found map[string]*burst, f plan.Fire, p Project, calls int) {
	accounts := slices.Sorted(slices.Values(p.Accounts))
	key := fmt.Sprintf("%d|%s %q", f.At.Unix(), f.Action, accounts)
	b := found[key]
	if b == nil {
		b = &burst{at: f.At, action: f.Action, schedule: f.Schedule, accounts: len(accounts)}
		found[key] = b
	}
	b.calls += calls
	if !slices.Contains(b.projects, p.Name) {
		b.projects = append(b.projects, p.Name)
	}
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

// What LCS allows each account: calls of one action within a window of time.
const (
	callsPerWindow = 30
	callWindow     = 30 * time.Minute
)

// queueing says how long after the first the last of several calls can be made, and
// how many accounts it takes to make all at once.
func queueing(calls, accounts int) (delay time.Duration, wanted int) {
	if calls <= 0 || accounts <= 0 {
		return 0, 0
	}
	full := (calls - 1) / (callsPerWindow * accounts)
	return time.Duration(full) * callWindow, (calls + callsPerWindow - 1) / callsPerWindow
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
