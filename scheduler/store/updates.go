package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/scheduler"
)

// Updates reads what has changed, for those who listen for it. Nothing is read while
// nobody does.
type Updates struct{ *database }

// lateCommit is how long after its id was made an event may become visible: as long as a
// transaction takes, and as far as the clocks of replicas may be apart. On SQLite ids are
// made within the only transaction there is, so that they become visible in their order.
const lateCommit = 2 * time.Minute

// A Watch compares what the database holds with what it held.
type Watch struct {
	*database
	position string          // the last event of all that was read
	from     string          // the next read begins after this id
	seen     map[string]bool // of the events after from, those that were read already
	runs     map[string]runSeen
	told     map[string]string // the states of runs by the events that came after the runs were read
	calls    []string          // the last metadata calls, each with how it ended
	observed map[environmentKey]lcsSeen
}

// A runSeen is what listeners see of an unfinished run.
type runSeen struct {
	environment, action, state, waiting, message string
	accepted                                     int64
}

type environmentKey struct {
	project int64
	id      string
}

// A lcsSeen is what listeners see of what LCS shows.
type lcsSeen struct {
	condition, deploymentState string
	at                         int64
}

// Watch begins to compare: its first Read returns what changed since then.
func (s *Updates) Watch(ctx context.Context) (*Watch, error) {
	w := &Watch{database: s.database}
	if err := s.read().row(ctx, `SELECT COALESCE(MAX(id), '') FROM events`).Scan(&w.position); err != nil {
		return nil, fmt.Errorf("read the last event: %w", err)
	}
	w.from = w.position
	if s.postgres {
		var err error
		if w.from, err = s.lateFrom(ctx); err != nil {
			return nil, err
		}
		if _, err := w.newEvents(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := w.newRuns(ctx, time.Time{}); err != nil {
		return nil, err
	}
	_, err := w.newObservations(ctx)
	return w, err
}

// Position is the last event that was read, "" when there was none.
func (w *Watch) Position() string { return w.position }

// Read returns what changed since it was last called. With an error it returns what it
// could read, and the next call returns the rest.
func (w *Watch) Read(ctx context.Context, now time.Time) ([]scheduler.Update, error) {
	next := ""
	if w.postgres {
		var err error
		if next, err = w.lateFrom(ctx); err != nil {
			return nil, err
		}
	}
	list, err := w.newEventsAndRuns(ctx, now)
	if err != nil {
		return list, err
	}
	if w.postgres {
		w.from = next
	}
	observed, err := w.newObservations(ctx)
	return slices.Concat(list, observed), err
}

// newEventsAndRuns returns what events and runs say, each state of a run once: a run and its
// event become visible together, maybe between two of these queries.
func (w *Watch) newEventsAndRuns(ctx context.Context, now time.Time) ([]scheduler.Update, error) {
	before, err := w.newEvents(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := w.newRuns(ctx, now)
	if err != nil {
		return before, err
	}
	after, err := w.newEvents(ctx)
	events := slices.Concat(before, after)
	runs = slices.DeleteFunc(runs, func(u scheduler.Update) bool { // its event says the same
		return w.told[u.ID] == u.State || slices.ContainsFunc(events, func(e scheduler.Update) bool { return e.Kind == u.Kind && e.ID == u.ID })
	})
	w.told = map[string]string{}
	for _, e := range after {
		if e.Kind == scheduler.UpdateRun {
			w.told[e.ID] = e.State
		}
	}
	return slices.Concat(events, runs), err
}

// lateFrom is the id after which events may still become visible, by the clock of the
// server, which is the same for all replicas.
func (d *database) lateFrom(ctx context.Context) (string, error) {
	const ms = `lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - ?::bigint), 12, '0')`
	var id string
	if err := d.read().row(ctx, `SELECT substr(ms, 1, 8) || '-' || substr(ms, 9) FROM (SELECT `+ms+` AS ms) AS t`, lateCommit.Milliseconds()).Scan(&id); err != nil {
		return "", fmt.Errorf("read the clock of the database: %w", err)
	}
	return id, nil
}

// newEvents returns the events that became visible since it was last called.
func (w *Watch) newEvents(ctx context.Context) ([]scheduler.Update, error) {
	ids, err := column(ctx, w.read(), `SELECT id FROM events WHERE id > ? ORDER BY id`, w.from)
	if err != nil {
		return nil, fmt.Errorf("read the new events: %w", err)
	}
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return w.seen[id] })
	list, err := w.updates(ctx, fresh)
	if err != nil {
		return nil, err
	}
	if len(ids) > 0 {
		w.position = max(w.position, ids[len(ids)-1])
	}
	if !w.postgres {
		w.from = w.position
		return list, nil
	}
	w.seen = make(map[string]bool, len(ids))
	for _, id := range ids {
		w.seen[id] = true
	}
	return list, nil
}

// pageOfEvents is how many events are read at a time.
const pageOfEvents = 1000

// After calls each with what changed after an event, oldest first, some at a time: the
// events that are still kept, then the state of what is under way. On PostgreSQL, events
// may be among them that are a little older.
func (s *Updates) After(ctx context.Context, event string, now time.Time, each func([]scheduler.Update) error) error {
	from := event
	if id, err := uuid.Parse(event); err == nil && s.postgres {
		sec, nsec := id.Time().UnixTime()
		from = firstID(time.Unix(sec, nsec).Add(-lateCommit))
	}
	for {
		ids, err := column(ctx, s.read(), `SELECT id FROM events WHERE id > ? ORDER BY id LIMIT ?`, from, pageOfEvents)
		if err != nil {
			return fmt.Errorf("read the events after %s: %w", event, err)
		}
		if len(ids) == 0 {
			break
		}
		from = ids[len(ids)-1]
		list, err := s.updates(ctx, slices.DeleteFunc(ids, func(id string) bool { return id == event }))
		if err != nil {
			return err
		}
		if err := each(list); err != nil {
			return err
		}
	}
	runs, err := (&Watch{database: s.database}).newRuns(ctx, now)
	if err != nil {
		return err
	}
	return each(runs)
}

// updates returns events with these ids in the words of listeners; those that are about
// nothing that listeners know are left out.
func (d *database) updates(ctx context.Context, ids []string) ([]scheduler.Update, error) {
	var list []scheduler.Update
	for some := range slices.Chunk(ids, pageOfEvents) {
		these, arg := in(d.read(), some)
		rows, err := d.read().query(ctx, `SELECT e.id, e.kind, e.at, e.environment, e.run, e.override, e.reason, COALESCE(r.action, ''), COALESCE(r.state, ''), COALESCE(o.environments, ''), COALESCE(o.keep, '')
			FROM events e LEFT JOIN runs r ON r.id = e.run LEFT JOIN overrides o ON o.id = e.override WHERE e.id`+these+` ORDER BY e.id`, arg)
		err = eachRow(rows, err, func(rows *sql.Rows) error {
			u, err := scanUpdate(rows)
			if u.Kind != "" {
				list = append(list, u)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read %d events: %w", len(some), err)
		}
	}
	return list, nil
}

func scanUpdate(rows *sql.Rows) (scheduler.Update, error) {
	var u scheduler.Update
	var kind scheduler.EventKind
	var at int64
	var run, override, environments string
	if err := rows.Scan(&u.Event, &kind, &at, &u.Environment, &run, &override, &u.Message, &u.Action, &u.State, &environments, &u.Keep); err != nil {
		return u, err
	}
	u.At = instant(at)
	switch {
	case kind == scheduler.EventReload, kind == scheduler.EventConfig:
		u.Kind, u.ID, u.State = scheduler.UpdateReload, u.Event, "loaded"
		if kind == scheduler.EventConfig {
			u.State = "refused"
		}
	case override != "":
		u.Kind, u.ID = scheduler.UpdateOverride, override
		if environments != "" {
			if err := json.Unmarshal([]byte(environments), &u.Environments); err != nil {
				return u, fmt.Errorf("read override %s: %w", override, err)
			}
		}
		if u.Environment == "" && len(u.Environments) > 0 {
			u.Environment = u.Environments[0]
		}
	case run != "":
		u.Kind, u.ID = scheduler.UpdateRun, run
	}
	return u, nil
}

// newRuns returns the unfinished runs that are new or differ from when it was last
// called. A run that ends has an event.
func (w *Watch) newRuns(ctx context.Context, at time.Time) ([]scheduler.Update, error) {
	now := make(map[string]runSeen, len(w.runs))
	var list []scheduler.Update
	rows, err := w.read().query(ctx, `SELECT id, environment, action, state, waiting, message, accepted_at FROM runs WHERE `+unfinished+` ORDER BY id`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var id string
		var r runSeen
		if err := rows.Scan(&id, &r.environment, &r.action, &r.state, &r.waiting, &r.message, &r.accepted); err != nil {
			return err
		}
		now[id] = r
		if w.runs[id] != r {
			list = append(list, scheduler.Update{Kind: scheduler.UpdateRun, At: at, ID: id, Environment: r.environment, Action: r.action, State: r.state, Message: r.message})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the unfinished runs: %w", err)
	}
	w.runs = now
	return list, nil
}

// newObservations returns the environments of which LCS shows another state than when it
// was last called. The observations are only read when metadata may have been.
func (w *Watch) newObservations(ctx context.Context) ([]scheduler.Update, error) {
	calls, err := column(ctx, w.read(), `SELECT id || ' ' || outcome FROM calls WHERE kind = '`+string(lcs.CallMetadata)+`' ORDER BY at DESC, id LIMIT 100`)
	if err != nil {
		return nil, fmt.Errorf("read the metadata calls: %w", err)
	}
	if slices.Equal(calls, w.calls) && w.observed != nil {
		return nil, nil
	}
	now := make(map[environmentKey]lcsSeen, len(w.observed))
	var list []scheduler.Update
	rows, err := w.read().query(ctx, `SELECT project, id, condition, deployment_state, at FROM observations ORDER BY project, id`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var k environmentKey
		var o lcsSeen
		if err := rows.Scan(&k.project, &k.id, &o.condition, &o.deploymentState, &o.at); err != nil {
			return err
		}
		now[k] = o
		if last := w.observed[k]; w.observed != nil && (last.condition != o.condition || last.deploymentState != o.deploymentState) {
			list = append(list, scheduler.Update{Kind: scheduler.UpdateObservation, ID: k.id, Project: k.project, State: o.condition, Message: o.deploymentState, At: instant(o.at)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the observations: %w", err)
	}
	w.calls, w.observed = calls, now
	return list, nil
}

// watchers are those who want to know of each transaction of this process.
type watchers struct {
	mu  sync.Mutex // guards all, which those who begin and end to watch write
	all map[chan struct{}]bool
}

// Committed returns a channel that holds a value once a transaction of this process has
// been committed, and what ends it.
func (s *Updates) Committed() (<-chan struct{}, func()) {
	w, c := &s.watchers, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan struct{}]bool{}
	}
	w.all[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
	}
}

func (w *watchers) committed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
