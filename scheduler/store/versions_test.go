package store_test

import (
	"database/sql"
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
