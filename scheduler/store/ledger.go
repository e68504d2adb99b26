package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// inFlight is how long after it was reserved a call without an answer may still
// reach LCS: above the client's time limit.
const inFlight = 2 * time.Minute

// counts selects the calls that LCS counts, or may: neither the throttled ones
// nor those that never left. A call counts from its answer, the latest instant
// at which LCS can have taken it; one in flight from the end of inFlight.
const (
	counts     = `outcome NOT IN ('throttled', 'unsent')`
	countsFrom = `CASE WHEN done = 0 THEN at + 120000000 ELSE done END`
)

// Reserve writes a pending call when one may go now: see scheduler.Ledger.
func (s *Store) Reserve(ctx context.Context, r scheduler.Reservation) (scheduler.Grant, error) {
	var grant scheduler.Grant
	err := s.do(ctx, func(q session) (err error) {
		if err := q.lock(ctx, lockLedger); err != nil {
			return err
		}
		account := ""
		if r.Kind == lcs.CallMetadata {
			account, grant, err = metadataSlot(ctx, q, r)
		} else {
			account, grant, err = callSlot(ctx, q, r)
		}
		if err != nil || account == "" || grant.At.After(r.Now) {
			return err
		}
		if r.Peek {
			grant = scheduler.Grant{}
			return nil
		}
		call, err := reserve(ctx, q, r, account)
		grant = scheduler.Grant{Call: call}
		return err
	})
	if err != nil {
		return scheduler.Grant{}, fmt.Errorf("reserve a %s call: %w", r.Kind, err)
	}
	return grant, nil
}

func reserve(ctx context.Context, q session, r scheduler.Reservation, account string) (*scheduler.Call, error) {
	id, err := newID()
	if err != nil {
		return nil, err
	}
	call := scheduler.Call{
		ID: id, Kind: r.Kind, Account: account, Project: r.Project, Environment: r.Environment,
		At: r.Now, Outcome: scheduler.OutcomePending,
	}
	if r.Run != nil {
		call.Run = r.Run.ID
		run := *r.Run
		// Its call is in flight: it no longer stands before others in the queue.
		run.State, run.Waiting, run.Tries = scheduler.Running, scheduler.WaitTurn, run.Tries+1
		if err := saveRun(ctx, q, run); err != nil {
			return nil, err
		}
		*r.Run = run
	}
	_, err = q.exec(ctx, `INSERT INTO calls (id, kind, account, project, environment, run, at, done, outcome, message, activity_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, '', '')`,
		call.ID, string(call.Kind), account, call.Project, call.Environment, call.Run, micros(call.At), string(call.Outcome))
	if err != nil {
		return nil, err
	}
	return &call, nil
}

// metadataSlot applies the limit per project and the holds of the accounts.
func metadataSlot(ctx context.Context, q session, r scheduler.Reservation) (string, scheduler.Grant, error) {
	holds, err := holdsOf(ctx, q, r.Now)
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	free, held := unheld(r.Project, r.Accounts, holds)
	if len(free) == 0 {
		return "", scheduler.Grant{At: held.Until, Reason: scheduler.WaitAccount, Detail: held.Reason}, nil
	}
	if h, ok := holds[scheduler.MetadataHold(r.Project)]; ok {
		return "", scheduler.Grant{At: h.Until, Reason: scheduler.WaitMetadata, Detail: h.Reason}, nil
	}
	taken, err := takenCalls(ctx, q, `kind = ? AND project = ? AND at > ?`, string(r.Kind), r.Project, micros(r.Now.Add(-quota.Metadata.Window-2*inFlight)))
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	at := quota.Metadata.Next(r.Now, taken, 0)
	return free[0], scheduler.Grant{At: at, Reason: scheduler.WaitMetadata, Paced: true, Detail: "LCS allows 6 metadata calls a minute for a project"}, nil
}

// unheld gives the accounts that may work for the project; held is the hold that
// ends first of those that may not.
func unheld(project int64, accounts []string, holds map[string]scheduler.Hold) (free []string, held scheduler.Hold) {
	for _, a := range accounts {
		h, ok := holds[scheduler.AccountHold(a)]
		if !ok {
			h, ok = holds[scheduler.MemberHold(a, project)]
		}
		switch {
		case !ok:
			free = append(free, a)
		case held.Until.IsZero() || h.Until.Before(held.Until):
			held = h
		}
	}
	return free, held
}

// callSlot applies the limits of start and stop, the holds and the order of the runs.
func callSlot(ctx context.Context, q session, r scheduler.Reservation) (string, scheduler.Grant, error) {
	holds, err := holdsOf(ctx, q, r.Now)
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	if h, ok := holds[scheduler.EnvironmentHold(r.Environment, r.Kind)]; ok {
		return "", scheduler.Grant{At: h.Until, Reason: scheduler.WaitThrottle, Detail: h.Reason}, nil
	}
	own, err := takenCalls(ctx, q, `kind = ? AND project = ? AND environment = ? AND at > ?`,
		string(r.Kind), r.Project, r.Environment, micros(r.Now.Add(-quota.PerEnvironment.Window-2*inFlight)))
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	if at := quota.PerEnvironment.Next(r.Now, own, 0); at.After(r.Now) {
		return "", scheduler.Grant{At: at, Reason: scheduler.WaitQuota, Paced: true, Detail: "LCS allows one " + string(r.Kind) + " of an environment in 5 minutes"}, nil
	}
	free, held := unheld(r.Project, r.Accounts, holds)
	if len(free) == 0 {
		return "", scheduler.Grant{At: held.Until, Reason: scheduler.WaitAccount, Detail: held.Reason}, nil
	}
	claims, err := claimsOf(ctx, q, r, holds, len(free) > 1)
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	ahead, accounts := 0, slices.Clip(free)
	for _, c := range claims {
		ahead += c.Calls
		accounts = append(accounts, c.Accounts...)
	}
	budgets, err := budgetsOf(ctx, q, r, holds, accounts)
	if err != nil {
		return "", scheduler.Grant{}, err
	}
	account, at := quota.PerAccount.Best(r.Now, budgets, claims, free)
	return account, scheduler.Grant{At: at, Reason: scheduler.WaitQuota, Paced: true, Detail: fmt.Sprintf(
		"LCS allows 30 %s calls of an account in 30 minutes; %d runs go before this one", r.Kind, ahead)}, nil
}

// Budgets gives what each account may still do: see scheduler.Ledger.
func (s *Store) Budgets(ctx context.Context, now time.Time, kind scheduler.CallKind, accounts []string) ([]quota.Budget, error) {
	var budgets []quota.Budget
	err := s.do(ctx, func(q session) error {
		holds, err := holdsOf(ctx, q, now)
		if err == nil {
			budgets, err = budgetsOf(ctx, q, scheduler.Reservation{Now: now, Kind: kind}, holds, accounts)
		}
		return err
	})
	return budgets, err
}

// budgetsOf gives what each of the accounts may still do of the kind of call.
func budgetsOf(ctx context.Context, q session, r scheduler.Reservation, holds map[string]scheduler.Hold, accounts []string) ([]quota.Budget, error) {
	var budgets []quota.Budget
	for _, a := range slices.Compact(slices.Sorted(slices.Values(accounts))) {
		taken, err := takenCalls(ctx, q, `kind = ? AND account = ? AND at > ?`, string(r.Kind), a, micros(r.Now.Add(-quota.PerAccount.Window-2*inFlight)))
		if err != nil {
			return nil, err
		}
		budgets = append(budgets, quota.Budget{Account: a, Taken: taken, Held: holds[scheduler.VerbHold(a, r.Kind)].Until})
	}
	return budgets, nil
}

// claimsOf counts the runs that wait beside r's for the same verb and for nothing
// but their call, by project: those of a better rank go before it, the others make
// way for it. They matter only where r has a choice of accounts, and are thousands
// when r is at the head of a long queue. A run that waits for metadata counts within
// its own project only, so that a project whose metadata is away does not stand in
// the way of others. Projects without such a run are in the list too: of accounts
// that are alike to all who wait, r takes one that the fewest projects could use.
func claimsOf(ctx context.Context, q session, r scheduler.Reservation, holds map[string]scheduler.Hold, choice bool) ([]quota.Claim, error) {
	const goesBefore = `(rank < ? OR (rank = ? AND id < ?))`
	counted, which, args := `COUNT(*), COUNT(*)`, goesBefore, []any{r.Run.Rank, r.Run.Rank, r.Run.ID}
	if choice {
		counted, which = `SUM(CASE WHEN `+goesBefore+` THEN 1 ELSE 0 END), COUNT(*)`, `id <> ?`
		args = append(args, r.Run.ID)
	}
	args = append(args, string(r.Kind), micros(r.Now), r.Run.Project)
	for _, p := range r.Rivals {
		args = append(args, p.Name)
	}
	waiting := map[string]quota.Claim{}
	rows, err := q.query(ctx, `SELECT project, `+counted+` FROM runs WHERE `+which+` AND action = ? AND state IN ('queued', 'running') AND not_before <= ?
		AND (waiting IN ('', 'quota') OR (waiting = 'metadata' AND project = ?)) AND project IN (`+placeholders(len(r.Rivals))+`) GROUP BY project`, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var project string
		var before, all int
		err := rows.Scan(&project, &before, &all)
		waiting[project] = quota.Claim{Calls: before, Behind: all - before}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the runs that wait too: %w", err)
	}
	var claims []quota.Claim
	for _, p := range r.Rivals {
		if free, _ := unheld(p.ID, p.Accounts, holds); len(free) > 0 {
			c := waiting[p.Name]
			c.Accounts = free
			claims = append(claims, c)
		}
	}
	return claims, nil
}

func takenCalls(ctx context.Context, q session, where string, args ...any) ([]time.Time, error) {
	var taken []time.Time
	rows, err := q.query(ctx, `SELECT `+countsFrom+` FROM calls WHERE `+where+` AND `+counts, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var at int64
		err := rows.Scan(&at)
		taken = append(taken, instant(at))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the calls made: %w", err)
	}
	return taken, nil
}

// Settle writes how a call ended: see scheduler.Ledger.
func (s *Store) Settle(ctx context.Context, c scheduler.Call, r *scheduler.Run) error {
	var stale error
	err := s.do(ctx, func(q session) error {
		_, err := q.exec(ctx, `UPDATE calls SET done = ?, outcome = ?, message = ?, activity_id = ? WHERE id = ?`,
			micros(c.Done), string(c.Outcome), c.Message, c.ActivityID, c.ID)
		if err != nil || r == nil {
			return err
		}
		if err := saveRun(ctx, q, *r); !errors.Is(err, scheduler.ErrStale) {
			return err
		}
		stale = scheduler.ErrStale
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the end of call %s: %w", c.ID, err)
	}
	return stale
}

// LastCall gives the newest call on an environment: see scheduler.Ledger.
func (s *Store) LastCall(ctx context.Context, project int64, environment string) (scheduler.Call, bool, error) {
	var c scheduler.Call
	var kind string
	var at, done int64
	err := s.read().row(ctx, `SELECT id, kind, account, run, at, done, outcome, message, activity_id FROM calls
		WHERE project = ? AND environment = ? AND `+counts+` ORDER BY at DESC LIMIT 1`, project, environment).
		Scan(&c.ID, &kind, &c.Account, &c.Run, &at, &done, &c.Outcome, &c.Message, &c.ActivityID)
	if found, err := ignoreNoRows(err); !found {
		if err != nil {
			err = fmt.Errorf("read the last call: %w", err)
		}
		return scheduler.Call{}, false, err
	}
	c.Kind, c.Project, c.Environment = lcs.CallKind(kind), project, environment
	c.At, c.Done = instant(at), instant(done)
	return c, true, nil
}

// Hold forbids calls of a scope until an instant.
func (s *Store) Hold(ctx context.Context, h scheduler.Hold) error {
	_, err := s.read().exec(ctx, `INSERT INTO holds (scope, until, reason) VALUES (?, ?, ?)
		ON CONFLICT (scope) DO UPDATE SET until = excluded.until, reason = excluded.reason`, h.Scope, micros(h.Until), h.Reason)
	if err != nil {
		return fmt.Errorf("write the hold of %s: %w", h.Scope, err)
	}
	return nil
}

// Holds gives the holds that last beyond now, sorted by scope.
func (s *Store) Holds(ctx context.Context, now time.Time) ([]scheduler.Hold, error) {
	held, err := holdsOf(ctx, s.read(), now)
	if err != nil {
		return nil, err
	}
	list := make([]scheduler.Hold, 0, len(held))
	for _, h := range held {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b scheduler.Hold) int { return strings.Compare(a.Scope, b.Scope) })
	return list, nil
}

// Release ends holds before their time: see scheduler.Ledger.
func (s *Store) Release(ctx context.Context, now time.Time, scopes, projects []string) (int, error) {
	n := 0
	err := s.do(ctx, func(q session) error {
		if err := q.lock(ctx, lockJournal); err != nil {
			return err
		}
		if err := q.lock(ctx, lockLedger); err != nil {
			return err
		}
		ended, err := q.exec(ctx, `DELETE FROM holds WHERE scope IN (`+placeholders(len(scopes))+`) AND until > ?`, append(anys(scopes), micros(now))...)
		if err != nil || ended == 0 { // another replica was first, or there was nothing to wait for
			return err
		}
		runs, err := s.reticket(ctx, q, ``, `waiting = ? AND project IN (`+placeholders(len(projects))+`)`,
			append([]any{string(scheduler.WaitAccount)}, anys(projects)...)...)
		n = len(runs)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("release %d holds: %w", len(scopes), err)
	}
	return n, nil
}

// ShortenHolds lets holds end earlier: see scheduler.Ledger.
func (s *Store) ShortenHolds(ctx context.Context, latest time.Time, scopes []string) error {
	_, err := s.read().exec(ctx, `UPDATE holds SET until = ? WHERE until > ? AND scope IN (`+placeholders(len(scopes))+`)`,
		append([]any{micros(latest), micros(latest)}, anys(scopes)...)...)
	if err != nil {
		return fmt.Errorf("shorten holds: %w", err)
	}
	return nil
}

func holdsOf(ctx context.Context, q session, now time.Time) (map[string]scheduler.Hold, error) {
	holds := map[string]scheduler.Hold{}
	rows, err := q.query(ctx, `SELECT scope, until, reason FROM holds WHERE until > ?`, micros(now))
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var h scheduler.Hold
		var until int64
		err := rows.Scan(&h.Scope, &until, &h.Reason)
		h.Until = instant(until)
		holds[h.Scope] = h
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the holds: %w", err)
	}
	return holds, nil
}
