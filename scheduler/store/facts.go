package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// Facts are what decides whether a call may be made now. One query reads all that a
// decision depends on.
type facts struct {
	generations map[string]int64          // of unfinished runs, by run
	holds       map[string]scheduler.Hold // by scope
	made        map[string][]time.Time    // by environment, "" for metadata: from when its calls count
	taken       map[string][]time.Time    // by account, likewise
}

// A selection is a query of facts: of each what it is, of whom, a number and a text.
type selection struct {
	query string
	args  []any
}

// generationsOf selects the generations of a project's unfinished runs.
func generationsOf(project string) selection {
	return selection{`SELECT 'generation', id, generation, '' FROM runs WHERE project = ? AND ` + unfinished, []any{project}}
}

// heldAt selects the holds that last beyond an instant.
func heldAt(now time.Time) selection {
	return selection{`SELECT 'hold', scope, until, reason FROM holds WHERE until > ?`, []any{micros(now)}}
}

// takenOf selects the calls of a kind that count for accounts.
func takenOf(q session, now time.Time, kind scheduler.CallKind, accounts []string) selection {
	these, names := in(q, accounts)
	return selection{
		`SELECT 'taken', account, ` + countsFrom + `, '' FROM calls WHERE account` + these + ` AND kind = ? AND at > ? AND ` + counts,
		[]any{names, string(kind), micros(now.Add(-quota.PerAccount.Window - 2*inFlight))},
	}
}

// madeOf selects the calls of a kind that count for environments of a project, within
// the window of a limit.
func madeOf(q session, now time.Time, kind scheduler.CallKind, project int64, environments []string, limit quota.Limit) selection {
	these, ids := in(q, environments)
	return selection{
		`SELECT 'made', environment, ` + countsFrom + `, '' FROM calls WHERE project = ? AND environment` + these + ` AND kind = ? AND at > ? AND ` + counts,
		[]any{project, ids, string(kind), micros(now.Add(-limit.Window - 2*inFlight))},
	}
}

// readFacts reads what is selected.
func readFacts(ctx context.Context, q session, selected ...selection) (facts, error) {
	f := facts{generations: map[string]int64{}, holds: map[string]scheduler.Hold{}, made: map[string][]time.Time{}, taken: map[string][]time.Time{}}
	queries := make([]string, len(selected))
	var args []any
	for i, s := range selected {
		queries[i] = s.query
		args = append(args, s.args...)
	}
	rows, err := q.query(ctx, strings.Join(queries, ` UNION ALL `), args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var what, name, text string
		var n int64
		if err := rows.Scan(&what, &name, &n, &text); err != nil {
			return err
		}
		switch what {
		case "generation":
			f.generations[name] = n
		case "hold":
			f.holds[name] = scheduler.Hold{Scope: name, Until: instant(n), Reason: text}
		case "made":
			f.made[name] = append(f.made[name], instant(n))
		case "taken":
			f.taken[name] = append(f.taken[name], instant(n))
		}
		return nil
	})
	if err != nil {
		return facts{}, fmt.Errorf("read the calls made and the holds: %w", err)
	}
	return f, nil
}

// budgets returns what each of the accounts may still do of the kind of call, sorted.
func (f facts) budgets(kind scheduler.CallKind, accounts []string) []quota.Budget {
	accounts = sorted(accounts)
	list := make([]quota.Budget, len(accounts))
	for i, a := range accounts {
		list[i] = quota.Budget{Account: a, Taken: f.taken[a], Held: f.holds[scheduler.VerbHold(a, kind)].Until}
	}
	return list
}
