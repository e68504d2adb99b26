package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

const (
	// onTime is how late a fire may be taken up and still count as the schedule's
	// own; later ones are catch-up.
	onTime = time.Minute
	// farthest is how far back a tick looks: what was missed before is of no use
	// to anyone, and a year of it would be a million rows.
	farthest = 7 * 24 * time.Hour
	// jump is a step back of the clock that is worth a line in the log.
	jump = time.Minute
	// noticeable is a lateness worth a line in the log.
	noticeable = 2 * time.Second
)

// Tick writes the runs of every fire since the last recorded tick, up to and
// including now. A late, doubled or missed wake changes nothing.
func (e *Engine) Tick(ctx context.Context, now time.Time) error {
	now = now.UTC().Truncate(time.Microsecond)
	for range maxStale {
		err := e.tick(ctx, now)
		if !errors.Is(err, ErrStale) {
			return err
		}
	}
	return nil // others write the ticks, or change the overrides, all the time
}

// maxStale is how often a tick is made anew when somebody else was faster.
const maxStale = 3

func (e *Engine) tick(ctx context.Context, now time.Time) error {
	c, err := e.store.Cursor(ctx)
	if err != nil {
		return err
	}
	if !now.After(c.At) {
		if c.At.Sub(now) > jump {
			e.log.Warn("the clock is behind the last tick; nothing fires until it has caught up", zap.Time("last_tick", c.At))
		}
		return nil
	}
	f, err := e.current(c)
	if err != nil {
		return err
	}
	runs, err := e.due(ctx, f, c.At, now)
	if err != nil {
		return err
	}
	early, err := e.early(ctx, f, now)
	if err != nil {
		return err
	}
	runs = append(runs, besides(early, runs)...)
	f.hold(runs)
	res, err := e.store.CommitTick(ctx, c, now, runs)
	if err != nil {
		return err
	}
	e.metrics.lastTick.Set(float64(now.UnixMicro()) / 1e6)
	e.reportEnded(c, now)
	e.report(res, now)
	e.forecast(ctx, f, res, now)
	return nil
}

// besides leaves out the early starts of environments that have a run of their own.
func besides(early, runs []Run) []Run {
	taken := map[string]bool{}
	for _, r := range runs {
		taken[r.Environment] = true
	}
	return slices.DeleteFunc(early, func(r Run) bool { return taken[r.Environment] })
}

// due gives the runs of the fires in (last, now]. The very first tick has none:
// a schedule seen for the first time never fires for the past.
func (e *Engine) due(ctx context.Context, f *inForce, last, now time.Time) ([]Run, error) {
	if last.IsZero() {
		return nil, nil
	}
	if oldest := now.Add(-farthest); last.Before(oldest) {
		e.log.Warn("the daemon was away for long; fires before this instant are left out of history", zap.Time("from", oldest))
		last = oldest
	}
	fires := map[string][]plan.Fire{}
	var order, starting []string
	for _, fire := range f.plan.Fires(last.Add(time.Nanosecond), now.Add(time.Nanosecond)) {
		if since, ok := f.since[ruleKey{fire.Schedule, fire.Environment}]; ok && fire.At.Before(since) {
			continue
		}
		if fires[fire.Environment] == nil {
			order = append(order, fire.Environment)
		}
		if fire.Action == plan.Start && f.Defaults.Order != orderFile {
			starting = append(starting, fire.Environment)
		}
		fires[fire.Environment] = append(fires[fire.Environment], fire)
	}
	takes, err := e.startTimes(ctx, starting, now)
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, name := range order {
		more, err := f.runsOf(fires[name], now)
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	for i := range runs {
		if r := &runs[i]; r.Action == plan.Start && f.Defaults.Order != orderFile {
			r.Rank = quota.StartRank(takes[r.Environment], f.environments[r.Environment].CostPerHour)
		}
	}
	return runs, nil
}

// hold has a fire that would stop more environments than allowed wait for an
// approval.
func (f *inForce) hold(runs []Run) {
	stops := 0
	for _, r := range runs {
		if r.Action == plan.Stop && !r.State.Finished() {
			stops++
		}
	}
	if f.Defaults.MaxStops == 0 || stops <= f.Defaults.MaxStops {
		return
	}
	for i := range runs {
		if r := &runs[i]; r.Action == plan.Stop && !r.State.Finished() {
			r.Waiting = WaitApproval
			r.Message = fmt.Sprintf("this fire stops %d environments at once, more than max_stops_per_fire, %d; waiting for an approval", stops, f.Defaults.MaxStops)
		}
	}
}

// runsOf makes the runs of one environment's fires, oldest first: only the last
// is to be carried out, if it is not too old.
func (f *inForce) runsOf(fires []plan.Fire, now time.Time) ([]Run, error) {
	runs := make([]Run, 0, len(fires))
	for i, fire := range fires {
		r, err := f.newRun(fire, now)
		if err != nil {
			return nil, err
		}
		switch late := now.Sub(fire.At); {
		case i < len(fires)-1:
			r.State, r.FinishedAt = Missed, now
			r.Message = "curfew was not running; a later fire came due too"
		case late > f.Defaults.CatchUp && late > onTime:
			r.State, r.FinishedAt = Missed, now
			r.Message = fmt.Sprintf("curfew was not running; %s late is more than catch_up, %s", late.Round(time.Second), f.Defaults.CatchUp)
		case late > onTime:
			r.Trigger = TriggerCatchUp
		}
		runs = append(runs, r)
	}
	return runs, nil
}

func (f *inForce) newRun(fire plan.Fire, now time.Time) (Run, error) {
	id, err := newRunID()
	if err != nil {
		return Run{}, err
	}
	env := f.environments[fire.Environment]
	r := Run{
		ID: id, Environment: env.Name, Project: env.Project, Schedule: fire.Schedule, Action: fire.Action,
		Trigger: TriggerSchedule, State: Queued, FireAt: fire.At, DueAt: fire.At, CreatedAt: now, Rank: f.rankOf(env, fire.Action),
	}
	if isOverride(fire.Schedule) {
		r.Trigger = TriggerOverride
	}
	return r, nil
}

const orderFile = "file" // of Defaults.Order

// rankOf is the rank of a run whose start time is not known, or that is a stop.
func (f *inForce) rankOf(env Environment, action plan.Action) float64 {
	switch {
	case f.Defaults.Order == orderFile:
		return float64(f.rank[env.Name])
	case action == plan.Stop:
		return quota.StopRank(env.CostPerHour)
	default:
		return quota.StartRank(startsUnknown, env.CostPerHour)
	}
}

func (e *Engine) report(res TickResult, now time.Time) {
	var held []Run
	for _, r := range res.Written {
		log := e.runLog(r)
		e.metrics.runs.WithLabelValues(string(r.Action), string(r.State)).Inc()
		switch r.State {
		case Missed:
			log.Warn("run missed", zap.String("message", r.Message))
		case Canceled:
			log.Info("run canceled", zap.String("message", r.Message), zap.String("superseded_by", r.SupersededBy))
		default:
			e.late(log, now.Sub(r.DueAt))
			log.Info("run queued", zap.String("trigger", string(r.Trigger)))
		}
		if r.Waiting == WaitApproval {
			held = append(held, r)
		}
	}
	if len(held) > 0 {
		e.warn(held[0], "a fire would stop more environments than max_stops_per_fire; it waits for an approval: curfew approve RUN",
			zap.Int("stops", len(held)), zap.String("message", held[0].Message))
	}
	for _, r := range res.Superseded {
		e.metrics.runs.WithLabelValues(string(r.Action), string(Canceled)).Inc()
		e.runLog(r).Info("run canceled", zap.String("message", r.Message), zap.String("superseded_by", r.SupersededBy))
	}
}

// late notes how late a run was written, and says so when it was never later.
func (e *Engine) late(log *zap.Logger, lateness time.Duration) {
	lateness = max(lateness, 0)
	e.metrics.lateness.Observe(lateness.Seconds())
	e.mu.Lock()
	worst := lateness > e.worst
	if worst {
		e.worst = lateness
	}
	e.mu.Unlock()
	if worst {
		e.metrics.worst.Set(lateness.Seconds())
	}
	if worst && lateness > noticeable {
		log.Warn("the latest fire so far", zap.Duration("late", lateness.Round(time.Millisecond)))
	}
}

// forecast says of a fire that LCS's limits do not let be done at once how long it
// takes, after the calls that were made and those that still wait.
func (e *Engine) forecast(ctx context.Context, f *inForce, res TickResult, now time.Time) {
	fired := map[string]bool{}
	for _, r := range res.Written {
		if !r.State.Finished() {
			fired[r.ID] = true
		}
	}
	if len(fired) == 0 {
		return
	}
	open, err := e.store.Unfinished(ctx)
	if err != nil {
		e.log.Warn("not known how long the fire takes", zap.Error(err))
		return
	}
	for _, action := range []plan.Action{plan.Stop, plan.Start} {
		fire := f.asks(now, res.Written, func(r Run) bool { return r.Action == action && fired[r.ID] })
		if len(fire) == 0 {
			continue
		}
		earlier := f.asks(now, open, func(r Run) bool { return r.Action == action && !fired[r.ID] && r.waitsForCall(now) })
		budgets, err := e.store.Budgets(ctx, now, kindOf(action), f.accountNames())
		if err != nil {
			e.log.Warn("not known how long the fire takes", zap.Error(err))
			return
		}
		outlook := quota.PerAccount.Outlook(budgets)
		outlook.Fire(now, earlier)
		for _, c := range outlook.Fire(now, fire) {
			e.log.Warn("the fire cannot be done at once: LCS allows 30 calls of an account in 30 minutes", zap.String("action", string(action)),
				zap.Int("calls", c.Calls), zap.Int("calls_before", c.Earlier), zap.Strings("accounts", c.Accounts), zap.Time("last_call", c.Last),
				zap.Int("accounts_for_at_once", c.Needed))
		}
	}
}

// asks counts the calls of some of the runs by project.
func (f *inForce) asks(now time.Time, runs []Run, some func(Run) bool) []quota.Ask {
	calls := map[string]int{}
	for _, r := range runs {
		if some(r) {
			calls[r.Project]++
		}
	}
	var asks []quota.Ask
	for _, p := range f.Projects {
		if n := calls[p.Name]; n > 0 {
			asks = append(asks, quota.Ask{At: now, Accounts: p.accountNames(), Calls: n})
		}
	}
	return asks
}

// accountNames are the accounts of all projects.
func (f *inForce) accountNames() []string {
	var names []string
	for _, p := range f.Projects {
		names = append(names, p.accountNames()...)
	}
	return names
}

// waitsForCall tells whether a run will ask for its call as soon as there is one.
func (r Run) waitsForCall(now time.Time) bool {
	switch r.Waiting {
	case "", WaitQuota, WaitMetadata:
		return (r.State == Queued || r.State == Running) && !r.NotBefore.After(now)
	default:
		return false
	}
}

// runLog gives a logger that says which run it speaks of.
func (e *Engine) runLog(r Run) *zap.Logger {
	return e.log.With(zap.String("environment", r.Environment), zap.String("project", r.Project), zap.String("schedule", r.Schedule),
		zap.String("action", string(r.Action)), zap.Time("fire_at", r.FireAt), zap.String("run_id", r.ID), zap.Int("attempt", r.Tries))
}
