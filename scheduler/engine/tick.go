package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

const (
	// onTime is how late a fire may be taken up and still count as the schedule's own;
	// later ones are catch-up.
	onTime = time.Minute
	// farthest is how far back a tick goes: what was missed before is of no use to
	// anyone, and a year of it would be a million rows.
	farthest = 7 * 24 * time.Hour
	// maxStale is how often a tick is tried again when somebody else was faster.
	maxStale = 3
)

// A TickStore keeps how far the fires are written.
type TickStore interface {
	// Cursor returns the last recorded tick and the overrides that are active since then.
	Cursor(ctx context.Context) (scheduler.Cursor, error)
	// CommitTick writes the runs of a tick, cancels the unfinished runs that they
	// supersede, issues the tickets and moves the cursor. Runs already there are left
	// out; one that was due before the newest of its environment is written as
	// canceled. ErrStale: the cursor or the overrides are not those of from.
	CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit Emit) (scheduler.Written, error)
	// SyncRules replaces the known rules and returns for each the instant since which
	// it is unchanged: now for a new or changed one. The rules of a file that is older than
	// the one by which other replicas tick replace nothing.
	SyncRules(ctx context.Context, l scheduler.Loading, events ...scheduler.Event) (map[scheduler.Rule]time.Time, error)
	// BringBack sets the last tick, which lies in the future, to now, and so whatever else
	// was written by the clock that was ahead. Runs of fires to come that have made no call
	// are removed. ErrStale: there was another tick.
	BringBack(ctx context.Context, from scheduler.Cursor, now time.Time, emit func(scheduler.BroughtBack) []scheduler.Event) (scheduler.BroughtBack, error)
	// HoldTick records that a replica leaves the ticks to those with a newer file.
	HoldTick(ctx context.Context, file string, now time.Time) error
}

// A ticker turns the fires since the last recorded tick into runs.
type ticker struct {
	store   TickStore
	leads   *leads
	record  *recorder
	current *snapshots
	clock   *clock.Clock
	waker   *waker
	holding tickHold
}

// tick writes the runs of every fire since the last recorded tick, up to and including
// now, and returns what it wrote. A late, doubled or missed wake changes nothing.
func (t *ticker) tick(ctx context.Context, now time.Time) (scheduler.Written, error) {
	for range maxStale {
		w, err := t.once(ctx, micros(now))
		if !errors.Is(err, scheduler.ErrStale) {
			return w, err
		}
	}
	return scheduler.Written{}, nil // others write the ticks, or change the overrides, all the time
}

func (t *ticker) once(ctx context.Context, now time.Time) (scheduler.Written, error) {
	c, err := t.store.Cursor(ctx)
	if err != nil {
		return scheduler.Written{}, err
	}
	if hold, err := t.held(ctx, c, now); hold || err != nil {
		return scheduler.Written{}, err
	}
	if c.At.Sub(now) > clock.Tolerance {
		b, err := t.bringBack(ctx, c, now)
		return scheduler.Written{Tickets: b.Tickets}, err
	}
	if !now.After(c.At) {
		return scheduler.Written{}, nil
	}
	s, err := t.withOverrides(c)
	if err != nil {
		return scheduler.Written{}, err
	}
	c.File = s.File
	runs, err := t.due(ctx, s, c.Since(s.File), now)
	if err != nil {
		return scheduler.Written{}, err
	}
	early, next, err := t.leads.early(ctx, s, now)
	if err != nil {
		return scheduler.Written{}, err
	}
	alone := withoutRuns(slices.Clone(early), runs)
	runs = append(runs, alone...)
	s.hold(runs)
	w, err := t.store.CommitTick(ctx, c, now, runs, t.record.tick(c, now))
	if err != nil {
		return scheduler.Written{}, err
	}
	if len(alone) == len(early) {
		t.leads.settle(next)
	}
	t.record.log.Debug("tick", zap.Time("from", c.At), zap.Int("runs", len(runs)), zap.Int("early_starts", len(alone)))
	t.record.ticked(c, now)
	t.record.written(w, now)
	return w, nil
}

// withOverrides returns the active snapshot with the overrides of the cursor.
func (t *ticker) withOverrides(c scheduler.Cursor) (*snapshot, error) {
	if s := t.current.load(); s.revision == c.Revision {
		return s, nil
	}
	s, err := t.current.change(func(s *snapshot) (*snapshot, error) { return s.withOverrides(c) })
	if err != nil {
		return nil, err
	}
	t.waker.restart()
	return s, nil
}

// withoutRuns leaves out the early starts of environments that have a run of their own.
func withoutRuns(early, runs []scheduler.Run) []scheduler.Run {
	taken := map[string]bool{}
	for _, r := range runs {
		taken[r.Environment] = true
	}
	return slices.DeleteFunc(early, func(r scheduler.Run) bool { return taken[r.Environment] })
}

// due returns the runs of the fires in (last, now]. The very first tick has none: a
// schedule seen for the first time never fires for the past.
func (t *ticker) due(ctx context.Context, s *snapshot, last, now time.Time) ([]scheduler.Run, error) {
	if last.IsZero() {
		return nil, nil
	}
	if oldest := now.Add(-farthest); last.Before(oldest) {
		t.record.log.Warn("daemon was down for more than 7 days; older fires are not recorded", zap.Time("from", oldest))
		last = oldest
	}
	fires := map[string][]plan.Fire{}
	var order, starting []string
	for _, fire := range s.plan.Fires(last.Add(time.Nanosecond), now.Add(time.Nanosecond)) {
		if !s.counts(fire) {
			continue
		}
		if fires[fire.Environment] == nil {
			order = append(order, fire.Environment)
		}
		if fire.Action == plan.Start && s.Defaults.Order != orderFile {
			starting = append(starting, fire.Environment)
		}
		fires[fire.Environment] = append(fires[fire.Environment], fire)
	}
	takes, err := t.leads.startTimes(ctx, starting, now)
	if err != nil {
		return nil, err
	}
	runs := make([]scheduler.Run, 0, len(order))
	for _, name := range order {
		more, err := s.runsOf(fires[name], now)
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	for i := range runs {
		if r := &runs[i]; r.Action == plan.Start && s.Defaults.Order != orderFile {
			r.Rank = quota.StartRank(takes[r.Environment], s.environments[r.Environment].CostPerHour)
		}
	}
	return runs, nil
}

// hold has a fire that would stop more environments than allowed wait for an approval.
func (s *snapshot) hold(runs []scheduler.Run) {
	stops := 0
	for _, r := range runs {
		if r.Action == plan.Stop && !r.State.Finished() {
			stops++
		}
	}
	if s.Defaults.MaxStops == 0 || stops <= s.Defaults.MaxStops {
		return
	}
	for i := range runs {
		if r := &runs[i]; r.Action == plan.Stop && !r.State.Finished() {
			r.Waiting = scheduler.WaitApproval
			r.Message = fmt.Sprintf("this fire stops %d environments at once, more than max_stops_per_fire, %d; waiting for an approval", stops, s.Defaults.MaxStops)
		}
	}
}

// runsOf returns the runs of one environment's fires, oldest first: only the last is to
// be carried out, if it is not too old.
func (s *snapshot) runsOf(fires []plan.Fire, now time.Time) ([]scheduler.Run, error) {
	runs := make([]scheduler.Run, 0, len(fires))
	for i, fire := range fires {
		r, err := s.newRun(fire, now)
		if err != nil {
			return nil, err
		}
		switch late := now.Sub(fire.At); {
		case i < len(fires)-1:
			r.State, r.FinishedAt = scheduler.Missed, now
			r.Message = "curfew was not running; a later fire came due too"
		case late > s.Defaults.CatchUp && late > onTime:
			r.State, r.FinishedAt = scheduler.Missed, now
			r.Message = fmt.Sprintf("curfew was not running; %s late is more than catch_up, %s", late.Round(time.Second), s.Defaults.CatchUp)
		case late > onTime:
			r.Trigger = scheduler.TriggerCatchUp
		}
		runs = append(runs, r)
	}
	return runs, nil
}
