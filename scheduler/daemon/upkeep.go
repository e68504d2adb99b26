package daemon

import (
	"context"
	"slices"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/web/api"
)

// upkeep returns what the daemon shows of its own work.
func (p parts) upkeep(ctx context.Context) (scheduler.Upkeep, error) {
	var u scheduler.Upkeep
	now, db := p.past.store.Clock.Now(), p.past.store
	cursor, err := db.Runs.Cursor(ctx)
	if err != nil {
		return u, err
	}
	u.LastTick = cursor.At
	if u.Holds, err = db.Holds.Holds(ctx, now); err != nil {
		return u, err
	}
	if u.Replicas, err = db.Queue.Replicas(ctx); err != nil {
		return u, err
	}
	if u.Quotas, err = p.quotas(ctx, now); err != nil {
		return u, err
	}
	return u, nil
}

// fileStatus returns what the schedule file is in this process.
func (p parts) fileStatus() scheduler.FileStatus {
	f := p.reload.file.current()
	status := scheduler.FileStatus{Path: f.Path, ActiveSince: f.ActiveSince}
	if f.Refused != nil {
		status.RefusedAt, status.Problems = f.Refused.At, f.Refused.Problems
	}
	return status
}

// file returns the schedule file, and that of another replica where it has another. A
// database that does not answer is reported elsewhere.
func (p parts) file(ctx context.Context) api.File {
	f := p.reload.file.current()
	cursor, err := p.past.store.Runs.Cursor(ctx)
	if err != nil {
		return f
	}
	now := p.past.store.Clock.Now()
	other, newer := cursor.Newer(f.Digest, now)
	found := newer
	if !newer {
		other, found = cursor.Older(now)
	}
	if found && other.Digest != f.Digest {
		f.Other = &api.OtherFile{Digest: other.Digest, Newer: newer, LoadedAt: other.LoadedAt.Truncate(time.Second).In(f.ActiveSince.Location())}
	}
	return f
}

// quotas are those of each account of the file, of starts and of stops.
func (p parts) quotas(ctx context.Context, now time.Time) ([]scheduler.QuotaStatus, error) {
	accounts, err := p.engine.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.Name
	}
	slices.Sort(names)
	var list []scheduler.QuotaStatus
	for _, kind := range []scheduler.CallKind{lcs.CallStop, lcs.CallStart} {
		budgets, err := p.past.store.Ledger.Budgets(ctx, now, kind, names)
		if err != nil {
			return nil, err
		}
		for _, b := range budgets {
			used := len(b.Taken)
			list = append(list, scheduler.QuotaStatus{Account: b.Account, Kind: kind, Used: used, Free: max(lcs.OperationsPerAccount.Calls-used, 0)})
		}
	}
	return list, nil
}
