package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/quota"
)

// Observations accounts metadata calls and keeps what they showed.
type Observations struct{ *database }

// ReserveMetadata writes a pending metadata call of a project, or returns the wait
// until there may be one; the call is nil then.
func (s *Observations) ReserveMetadata(ctx context.Context, now time.Time, p scheduler.Contender) (*scheduler.Call, scheduler.Wait, error) {
	var call *scheduler.Call
	var wait scheduler.Wait
	now = instant(micros(now))
	err := s.tx(ctx, func(q session) error {
		account, until, err := metadataSlot(ctx, q, now, p)
		if err != nil || account == "" || until.Until.After(now) {
			wait = until
			return err
		}
		id, err := q.clock.NewID()
		if err != nil {
			return err
		}
		call = &scheduler.Call{ID: id, Kind: lcs.CallMetadata, Account: account, Project: p.ID, At: now, Outcome: scheduler.OutcomePending}
		return insertCalls(ctx, q, []scheduler.Call{*call})
	}, lockNamed("metadata", strconv.FormatInt(p.ID, 10)))
	if err != nil {
		return nil, scheduler.Wait{}, fmt.Errorf("reserve a %s call: %w", lcs.CallMetadata, err)
	}
	return call, wait, nil
}

// metadataSlot applies the limit per project and the holds of the accounts.
func metadataSlot(ctx context.Context, q session, now time.Time, p scheduler.Contender) (string, scheduler.Wait, error) {
	known, err := readFacts(ctx, q, heldAt(now), madeOf(q, now, lcs.CallMetadata, p.ID, []string{""}, quota.Metadata))
	if err != nil {
		return "", scheduler.Wait{}, err
	}
	free, held := unheld(p.ID, p.Accounts, known.holds)
	if len(free) == 0 {
		return "", scheduler.Wait{Until: held.Until, Reason: scheduler.WaitAccount, Detail: held.Reason}, nil
	}
	if h, ok := known.holds[scheduler.MetadataHold(p.ID)]; ok {
		return "", scheduler.Wait{Until: h.Until, Reason: scheduler.WaitMetadata, Detail: h.Reason}, nil
	}
	at := quota.Metadata.Next(now, known.made[""], 0)
	return free[0], scheduler.Wait{Until: at, Reason: scheduler.WaitMetadata, QuotaOnly: true, Detail: "LCS allows 6 metadata calls a minute for a project"}, nil
}

const observationColumns = `project, id, page, at, name, condition, deployment_state, display, failed, misses`

// Record writes how a metadata call ended and what it showed; an older observation
// never replaces a newer one, unless that is dated after the call had ended: a clock that was
// ahead wrote it.
func (s *Observations) Record(ctx context.Context, c scheduler.Call, seen []scheduler.Observation) error {
	seen = newest(seen)
	err := s.tx(ctx, func(q session) error {
		if err := settleCalls(ctx, q, []scheduler.Call{c}); err != nil {
			return err
		}
		return sizes(q, seen, func(part []scheduler.Observation) error {
			if err := endSpans(ctx, q, part); err != nil {
				return err
			}
			return replaceObservations(ctx, q, part, later(c.At, c.Done).Add(clock.Tolerance))
		})
	})
	if err != nil {
		return fmt.Errorf("write %d observations: %w", len(seen), err)
	}
	return nil
}

func replaceObservations(ctx context.Context, q session, seen []scheduler.Observation, latest time.Time) error {
	cells := make([]any, 0, len(seen)*11)
	for _, o := range seen {
		cells = append(cells, o.Project, o.ID, int64(o.Page), micros(o.At), o.Name, string(o.Condition), o.DeploymentState, o.Display, boolean(o.Failed), int64(o.Misses), micros(o.At))
	}
	v, args := q.values(11, cells)
	_, err := q.exec(ctx, `INSERT INTO observations (`+observationColumns+`, since) `+v+`
		ON CONFLICT (project, id) DO UPDATE SET page = CASE WHEN excluded.page = 0 THEN observations.page ELSE excluded.page END,
		since = CASE WHEN observations.since > 0 AND observations.condition = excluded.condition AND excluded.at <= observations.at + `+holds+` THEN observations.since ELSE excluded.at END,
		at = excluded.at, name = excluded.name, condition = excluded.condition, deployment_state = excluded.deployment_state,
		display = excluded.display, failed = excluded.failed, misses = excluded.misses WHERE observations.at <= excluded.at OR observations.at > ?`, append(args, micros(latest))...)
	return err
}

// newest returns the last observation of each environment, sorted: no two writers
// wait for each other.
func newest(seen []scheduler.Observation) []scheduler.Observation {
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b scheduler.Observation) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), strings.Compare(a.ID, b.ID), b.At.Compare(a.At))
	})
	return slices.CompactFunc(seen, func(a, b scheduler.Observation) bool { return a.Project == b.Project && a.ID == b.ID })
}

// Observations returns the last of every environment of a project, or of all projects
// when none is named.
func (s *Observations) Observations(ctx context.Context, projects ...int64) ([]scheduler.Observation, error) {
	const from = `SELECT ` + observationColumns + ` FROM observations`
	if len(projects) == 0 {
		return observed(ctx, s.read(), from+` ORDER BY project, page, id`)
	}
	these, ids := in(s.read(), projects)
	return observed(ctx, s.read(), from+` WHERE project`+these+` ORDER BY project, page, id`, ids)
}

// lastSeen returns the last observations of environments of a project, by environment.
func lastSeen(ctx context.Context, q session, project int64, environments []string) (map[string]scheduler.Observation, error) {
	seen, err := observed(ctx, q, `SELECT `+observationColumns+` FROM observations WHERE project = ?`, project)
	if err != nil {
		return nil, err
	}
	found := make(map[string]scheduler.Observation, len(environments))
	for _, o := range seen {
		if _, wanted := slices.BinarySearch(environments, o.ID); wanted {
			found[o.ID] = o
		}
	}
	return found, nil
}

func observed(ctx context.Context, q session, query string, args ...any) ([]scheduler.Observation, error) {
	var seen []scheduler.Observation
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var o scheduler.Observation
		var at, failed int64
		var condition string
		if err := rows.Scan(&o.Project, &o.ID, &o.Page, &at, &o.Name, &condition, &o.DeploymentState, &o.Display, &failed, &o.Misses); err != nil {
			return err
		}
		o.At, o.Failed, o.Condition = instant(at), failed != 0, lcs.Condition(condition)
		seen = append(seen, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read observations: %w", err)
	}
	return seen, nil
}
