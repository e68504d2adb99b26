package store_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

// exec changes the database behind the store's back.
func (b *bench) exec(statements ...string) {
	b.t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(b.dsn, "postgres://") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, b.dsn)
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(b.t.Context(), s); err != nil {
			b.t.Fatal(err)
		}
	}
}

// count reads a number behind the store's back, or through it where it has the lock.
func (b *bench) count(query string) (n int) {
	b.t.Helper()
	if err := b.QueryRow(b.t.Context(), query).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestReplicasOfTwoAdjacentVersionsWorkSideBySide(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		// The next version's migration: a column with a default, as each must be.
		b.exec(`ALTER TABLE runs ADD COLUMN next_version BIGINT NOT NULL DEFAULT 0`, `INSERT INTO curfew_schema (version) VALUES (`+store.NextSchema()+`)`)
		b.open()
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		b.settle(b.reserve(r, t0).Call, scheduler.OutcomeAccepted, t0)
		if got := b.run(r.ID); len(got.Attempts) != 1 {
			t.Errorf("run = %+v, want its attempt", got)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b.exec(`INSERT INTO curfew_schema (version) VALUES (` + store.NextSchema() + ` + 1)`)
		s, err := store.Open(t.Context(), store.Options{DSN: b.dsn})
		if err == nil {
			_ = s.Close()
			t.Fatal("a database of the version after the next was opened")
		}
		if !strings.Contains(err.Error(), "much newer curfew") {
			t.Errorf("error = %v, want it to say that the database is newer", err)
		}
		b.exec(`DELETE FROM curfew_schema WHERE version > ` + store.NextSchema())
		b.open()
	})
}

// downgrade makes the schema that of version 4, and closes the database.
func (b *bench) downgrade() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.exec(`DROP TABLE deliveries`, `DROP TABLE delivery_events`, `DROP TABLE warned`, `DROP TABLE links`, `DROP TABLE keys`, `DROP TABLE months`, `DROP TABLE summed`, `DROP TABLE sessions`, `DROP INDEX runs_asked`, `DROP INDEX overrides_asked`, `DROP INDEX events_changes`, `DROP TABLE spans`, `ALTER TABLE observations DROP COLUMN since`, `DROP TABLE events`, `DROP TABLE projects`, `DROP INDEX calls_pending`, `ALTER TABLE calls DROP COLUMN replica`, `ALTER TABLE calls DROP COLUMN unseen`,
		`ALTER TABLE overrides DROP COLUMN by_name`, `ALTER TABLE overrides DROP COLUMN by_via`, `ALTER TABLE runs DROP COLUMN by_name`, `ALTER TABLE runs DROP COLUMN by_via`,
		`DROP INDEX runs_unfinished`, `CREATE INDEX runs_unfinished ON runs (action, rank) WHERE state IN ('queued', 'running', 'verifying')`,
		`DELETE FROM curfew_schema WHERE version > 4`)
}

// What version 4 left: a ticket for each run, nothing of who asked for it, and a call in
// flight of a process that nobody knows.
func TestRunsOfVersion4AreTakenOverByTheirProjects(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		scheduled, manual := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)
		manual.Trigger = scheduler.TriggerManual
		b.tick(time.Time{}, t0, scheduled, manual)
		b.discard("contoso")
		b.downgrade()
		b.exec(`INSERT INTO calls (id, kind, account, project, environment, run, at, done, outcome, message, activity_id)
			VALUES ('c1', 'stop', 'main', 1, 'dev-01', '`+scheduled.ID+`', 1000000, 0, 'pending', '', '')`,
			`INSERT INTO overrides (id, environments, keep, from_at, until_at, reason, created_at, released_at) VALUES ('o1', '["dev-01"]', 'running', 1, 2, '', 1, 0)`,
			`INSERT INTO river_job (args, kind, max_attempts, state) VALUES ('{"run":"`+scheduled.ID+`","generation":1}', 'run', 25, 'available')`)
		b.open()
		for id, want := range map[string]scheduler.Actor{scheduled.ID: scheduler.BySchedule, manual.ID: scheduler.ByToken} {
			if got := b.run(id); got.By != want || got.State != scheduler.Queued {
				t.Errorf("run = %+v, want it queued by %v", got, want)
			}
		}
		if list, err := b.Overrides.Since(t.Context(), time.Time{}); err != nil || len(list) != 1 || list[0].By != scheduler.ByToken {
			t.Errorf("overrides = %+v, %v; want one by token", list, err)
		}
		want := scheduler.Ticket{Project: "contoso", Generation: 1}
		if res := b.recover(t0.Add(time.Hour)); res.Runs != 2 || res.Calls != 1 || !slices.Equal(res.Tickets, []scheduler.Ticket{want}) {
			t.Errorf("Recover = %+v, want 2 runs, 1 call and %v", res, want)
		}
		if got := b.run(scheduled.ID); got.Generation < 2 {
			t.Errorf("generation = %d, want what version 4 may still write of it void", got.Generation)
		}
		b.workUntil(want)
		if got := b.count(`SELECT COUNT(*) FROM river_job WHERE kind = 'run'`); got != 0 {
			t.Errorf("%d tickets of runs are left, want none", got)
		}
	})
}

// What version 1 wrote: its statement, on the schema of today.
func TestRunWrittenByTheVersionBeforeIsWorkedOn(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.exec(`INSERT INTO runs (id, environment, project, schedule, action, cause, state, fire_at, zone, created_at, started_at, accepted_at, finished_at, activity_id,
			message, superseded_by, generation, rank, not_before, waiting, tries) VALUES ('01a20a66-0000-7000-8000-000000000001', 'dev-01', 'contoso', 'office-hours',
			'stop', 'schedule', 'queued', 1795464000000000, 'Europe/Copenhagen', 1795464000000000, 0, 0, 0, '', '', '', 1, 0, 0, '', 0)`)
		got := b.run("01a20a66-0000-7000-8000-000000000001")
		if got.State != scheduler.Queued || !got.DueAt.Equal(got.FireAt) {
			t.Errorf("run = %+v, want it queued and due at its fire", got)
		}
		later := newRun("dev-01", plan.Start, got.FireAt.Add(time.Hour))
		if res := b.tick(time.Time{}, later.FireAt, later); len(res.Superseded) != 1 {
			t.Errorf("tick = %+v, want the old run superseded", res)
		}
	})
}
