package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/lcs/auth"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// Emit returns the events that a change of runs causes: it is called within the
// change's transaction, with the runs as they are written, and its events are written
// with them.
type Emit = func(changed []scheduler.Run) []scheduler.Event

// An EventStore is the outbox.
type EventStore interface {
	// Append writes events that no other change causes.
	Append(ctx context.Context, events ...scheduler.Event) error
	// After returns the events after one, oldest first; all when the id is "".
	After(ctx context.Context, id string, limit int) ([]scheduler.Event, error)
}

// A recorder is the one place where what happens is logged, counted and turned into
// events. Its methods that return events are called before or within the transaction
// that causes them, the others after it.
type recorder struct {
	log     *zap.Logger
	metrics *metrics
	store   EventStore
	current *snapshots

	mu    sync.Mutex    // guards worst; written by ticks
	worst time.Duration // the worst lateness so far
}

// noticeable is a lateness worth a line in the log.
const noticeable = 2 * time.Second

// changed returns the events of runs that the daemon itself changed.
func (r *recorder) changed(runs []scheduler.Run) []scheduler.Event {
	return r.changedBy(scheduler.BySchedule)(runs)
}

// changedBy returns an Emit for runs that somebody changed: one event for each that has
// ended, and one for a start that was too late.
func (r *recorder) changedBy(by scheduler.Actor) Emit {
	return func(runs []scheduler.Run) []scheduler.Event {
		var list []scheduler.Event
		for _, run := range runs {
			if !run.State.Finished() {
				continue
			}
			list = append(list, ended(run, by))
			if e, ok := r.missedLead(run); ok {
				list = append(list, e)
			}
		}
		return list
	}
}

// inserted returns the events of runs that the daemon itself wrote and superseded: one
// more for a fire that waits for an approval, and for each environment that drifted.
func (r *recorder) inserted(runs []scheduler.Run) []scheduler.Event {
	list, held := r.changed(runs), false
	for _, run := range runs {
		switch {
		case run.Waiting == scheduler.WaitApproval && !held:
			held = true
			list = append(list, ofRun(newEvent(scheduler.EventApproval, run.CreatedAt, run.By, run.Message), run, "let it go: curfew approve "+run.ID))
		case run.Trigger == scheduler.TriggerEnforce && !run.State.Finished():
			list = append(list, ofRun(newEvent(scheduler.EventDrift, run.CreatedAt, run.By, run.Message), run, ""))
		}
	}
	return list
}

// missedLead is the event of a start that was not over when its window began.
func (r *recorder) missedLead(run scheduler.Run) (scheduler.Event, bool) {
	begin := r.current.load().windowBegin(run)
	if begin.IsZero() || run.State != scheduler.Succeeded && run.State != scheduler.Failed || !run.FinishedAt.After(begin) {
		return scheduler.Event{}, false
	}
	e := newEvent(scheduler.EventWarning, run.FinishedAt, scheduler.BySchedule, notUpInTime)
	return ofRun(e, run, "give its schedule a longer lead"), true
}

const notUpInTime = "environment was not up when its window began"

// written logs and counts the runs of a fire or a request, and those they superseded.
func (r *recorder) written(w scheduler.Written, now time.Time) {
	var held []scheduler.Run
	for _, run := range w.Runs {
		switch {
		case run.State.Finished():
			r.ended(run)
		default:
			r.metrics.runs.WithLabelValues(string(run.Action), string(run.State)).Inc()
			r.lateness(run, now.Sub(run.DueAt))
			r.run(run).Info("run queued", zap.String("trigger", string(run.Trigger)), zap.Stringer("by", run.By))
		}
		if run.Waiting == scheduler.WaitApproval {
			held = append(held, run)
		}
	}
	if len(held) > 0 {
		r.run(held[0]).Warn("a fire would stop more environments than max_stops_per_fire; it waits for an approval: curfew approve RUN",
			event(scheduler.EventApproval), zap.Int("stops", len(held)), zap.String("message", held[0].Message))
	}
	r.ended(w.Superseded...)
}

// ended logs and counts the ends of runs.
func (r *recorder) ended(runs ...scheduler.Run) {
	for _, run := range runs {
		r.metrics.runs.WithLabelValues(string(run.Action), string(run.State)).Inc()
		log := r.run(run).With(zap.String("operation_activity_id", run.OperationActivityID), zap.String("message", run.Message))
		switch run.State {
		case scheduler.Failed:
			log.Error("run failed", event(scheduler.EventFailed))
		case scheduler.Missed:
			log.Warn("run missed", event(scheduler.EventMissed))
		case scheduler.Canceled:
			log.Info("run canceled", zap.String("superseded_by", run.SupersededBy))
		default:
			log.Info("run "+string(run.State), zap.Duration("took", r.metrics.took(run).Round(time.Millisecond)))
		}
		if e, late := r.missedLead(run); late {
			begin := r.current.load().windowBegin(run)
			r.metrics.leadMisses.Inc()
			r.run(run).Warn(e.Reason, event(e.Kind), zap.Time("window_began", begin), zap.Duration("late", run.FinishedAt.Sub(begin).Round(time.Second)))
		}
	}
}

// lateness counts how late a run was written, and logs it when no run was later.
func (r *recorder) lateness(run scheduler.Run, late time.Duration) {
	late = max(late, 0)
	r.metrics.lateness.Observe(late.Seconds())
	r.mu.Lock()
	worst := late > r.worst
	if worst {
		r.worst = late
	}
	r.mu.Unlock()
	if !worst {
		return
	}
	r.metrics.worst.Set(late.Seconds())
	if late > noticeable {
		r.run(run).Warn("the latest fire so far", zap.Duration("late", late.Round(time.Millisecond)))
	}
}

// waiting logs that a run has a new reason to wait.
func (r *recorder) waiting(run scheduler.Run, w scheduler.Wait) {
	r.run(run).Info("run waiting", zap.String("reason", string(w.Reason)), zap.Time("until", w.Until), zap.String("message", w.Detail))
}

// called counts a call and logs what its answer means for its run.
func (r *recorder) called(run scheduler.Run, c scheduler.Call) {
	r.metrics.calls.WithLabelValues(string(c.Kind), string(c.Outcome)).Inc()
	log := r.run(run).With(zap.String("account", c.Account), zap.String("operation_activity_id", c.ActivityID))
	switch {
	case c.Outcome == scheduler.OutcomeAccepted:
		log.Info("run accepted", zap.Bool("unseen", c.Unseen))
	case run.State.Finished(): // its end is logged by itself
	default:
		log.Warn("call not accepted", zap.String("outcome", string(c.Outcome)), zap.Time("not_before", run.NotBefore), zap.String("message", c.Message))
	}
}

// outlived logs that LCS accepted a call of a run that has ended meanwhile.
func (r *recorder) outlived(run scheduler.Run, c scheduler.Call) {
	r.run(run).Warn("LCS accepted a call of a run that was superseded meanwhile; its successor sees to the rest",
		zap.String("operation_activity_id", c.ActivityID))
}

// carriedOut logs that metadata shows what a lost answer had to say.
func (r *recorder) carriedOut(run scheduler.Run, message string) {
	r.run(run).Info("run accepted", zap.String("operation_activity_id", ""), zap.String("message", message))
}

// retrying logs that something about a run is tried again.
func (r *recorder) retrying(message string, run scheduler.Run, err error) {
	r.run(run).Error(message, zap.String("operation_activity_id", run.OperationActivityID), zap.Error(err))
}

// panicked logs a bug that was caught. Of what a panic says, which could be anything, only
// the kind is shown.
func (r *recorder) panicked(what string, bug any) {
	r.log.Error("a bug in curfew: "+what+" panicked; it is tried again", zap.String("kind", fmt.Sprintf("%T", bug)), zap.StackSkip("stack", 2))
}

// approved logs that runs were let go.
func (r *recorder) approved(runs []scheduler.Run, by scheduler.Actor) {
	for _, run := range runs {
		r.run(run).Info("run approved", zap.Stringer("by", by))
	}
}

// drifted logs that an environment is brought back.
func (r *recorder) drifted(run scheduler.Run) {
	r.run(run).Warn("environment drifted; correcting", event(scheduler.EventDrift), zap.String("message", run.Message))
}

// bottlenecks logs that LCS's limits do not let a fire be done at once.
func (r *recorder) bottlenecks(action plan.Action, list []quota.Forecast) {
	for _, f := range list {
		r.log.Warn("the fire cannot be done at once: LCS allows 30 calls of an account in 30 minutes", zap.String("action", string(action)),
			zap.Int("calls", f.Calls), zap.Int("calls_before", f.Earlier), zap.Strings("accounts", f.Accounts), zap.Time("last_call", f.Last),
			zap.Int("accounts_for_at_once", f.Needed))
	}
}

// ticked counts a tick, and logs the overrides that ended with it.
func (r *recorder) ticked(c scheduler.Cursor, now time.Time) {
	r.metrics.lastTick.Set(float64(now.UnixMicro()) / 1e6)
	for _, o := range expired(c, now) {
		r.log.Info("override expired; its environments are brought to what the schedules want", overrideFields(o)...)
	}
}

// tick returns the Emit of a tick: the events of its runs, and of the overrides that end.
func (r *recorder) tick(c scheduler.Cursor, now time.Time) Emit {
	return func(runs []scheduler.Run) []scheduler.Event {
		list := r.inserted(runs)
		for _, o := range expired(c, now) {
			list = append(list, ofOverride(o, o.Until, scheduler.BySchedule, "override expired"))
		}
		return list
	}
}

// override logs that somebody made or released an override.
func (r *recorder) override(message string, o scheduler.Override, by scheduler.Actor) {
	r.log.Info(message, append(overrideFields(o), zap.Stringer("by", by))...)
}

func overrideFields(o scheduler.Override) []zap.Field {
	return []zap.Field{
		zap.String("override", o.ID), zap.Strings("environments", o.Environments), zap.String("keep", string(o.Keep)),
		zap.Time("from", o.From), zap.Time("until", o.Until), zap.String("reason", o.Reason),
	}
}

// run returns a logger that says which run it speaks of.
func (r *recorder) run(run scheduler.Run) *zap.Logger {
	return r.log.With(zap.String("environment", run.Environment), zap.String("project", run.Project), zap.String("schedule", run.Schedule),
		zap.String("action", string(run.Action)), zap.Time("fire_at", run.FireAt), zap.String("run_id", run.ID), zap.Int("attempt", run.Tries))
}

func event(kind scheduler.EventKind) zap.Field { return zap.String("event", string(kind)) }

// notify writes an event that no other change causes.
func (r *recorder) notify(ctx context.Context, e scheduler.Event) {
	if err := r.store.Append(ctx, e); err != nil && !done(ctx) {
		r.log.Error("event not written", event(e.Kind), zap.String("message", e.Reason), zap.Error(err))
	}
}

// loginLapses reports that an account's login ends soon.
func (r *recorder) loginLapses(name string, login auth.Login, now time.Time) scheduler.Event {
	e := newEvent(scheduler.EventWarning, now, scheduler.BySchedule, "the account's login lapses at "+login.LapsesAt().UTC().Format(time.RFC3339))
	e.Account, e.NextStep = name, "curfew login "+name
	r.log.Warn("the account's login lapses soon; run: curfew login "+name, event(e.Kind), zap.String("account", name),
		zap.Time("lapses", login.LapsesAt()), zap.Time("refreshed", login.RefreshedAt))
	return e
}

// accountDown logs that an account cannot be used, when that is new.
func (r *recorder) accountDown(e scheduler.Event, isNew bool, fields ...zap.Field) {
	r.metrics.accountUp.WithLabelValues(e.Account).Set(0)
	if isNew {
		r.log.Warn(e.Reason, append(fields, event(e.Kind), zap.String("account", e.Account))...)
	}
}

// accountUp logs that an account can be used again, when it could not.
func (r *recorder) accountUp(name string, up bool, down time.Duration) {
	r.metrics.accountUp.WithLabelValues(name).Set(gauge(up))
	if down > 0 {
		r.log.Info("account recovered; its runs resume", event(scheduler.EventReachable), zap.String("account", name), zap.Duration("down", down.Round(time.Second)))
	}
}

// loaded logs what a snapshot says of overrides that no longer fit the schedule file.
func (r *recorder) loaded(message string, s *snapshot, c scheduler.Cursor) {
	r.log.Info(message, event(scheduler.EventReload), zap.Int("environments", len(s.Environments)), zap.Int("projects", len(s.Projects)))
	for _, o := range c.Overrides {
		if gone := s.stale(o); len(gone) > 0 {
			r.log.Warn("override names environments that the schedule file does not have; it has no effect on them", event(scheduler.EventOverride),
				zap.String("override", o.ID), zap.Strings("environments", gone))
		}
	}
}

func gauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
