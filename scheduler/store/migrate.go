package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"go.uber.org/zap"
)

// migrateAll brings the tables of curfew and of River up to date.
func (d *database) migrateAll(ctx context.Context, driver riverdriver.Driver[*sql.Tx], logger *slog.Logger) error {
	return d.migrating(ctx, func() error {
		from, err := d.migrate(ctx)
		if err != nil {
			return err
		}
		if err := migrateRiver(ctx, driver, logger); err != nil {
			return err
		}
		if from >= projectTickets {
			return nil
		}
		// Before, each run had a ticket of its own, which nobody works on any more.
		if _, err := d.read().exec(ctx, `DELETE FROM river_job WHERE kind = 'run'`); err != nil {
			return fmt.Errorf("remove the tickets of the version before: %w", err)
		}
		return nil
	})
}

// migrate applies each migration that the database lacks, in a transaction of its
// own, and returns the version that was there. A schema that is one version ahead is
// worked with: while replicas are upgraded one by one, the old ones go on next to the
// new.
func (d *database) migrate(ctx context.Context) (from int, err error) {
	if _, err := d.read().exec(ctx, `CREATE TABLE IF NOT EXISTS curfew_schema (version BIGINT NOT NULL)`); err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	if err := d.read().row(ctx, `SELECT COALESCE(MAX(version), 0) FROM curfew_schema`).Scan(&from); err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	known := len(migrations)
	if err := checkVersion(from); err != nil {
		return 0, err
	}
	if from > known {
		d.log.Warn("the database belongs to the next version of curfew already; upgrade this one too", zap.Int("schema", from), zap.Int("known", known))
	}
	for i := from; i < known; i++ {
		err := d.tx(ctx, func(q session) error {
			if _, err := q.exec(ctx, migrations[i]); err != nil {
				return err
			}
			_, err := q.exec(ctx, `INSERT INTO curfew_schema (version) VALUES (?)`, i+1)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("migrate the schema to version %d: %w", i+1, err)
		}
	}
	return from, nil
}

// sameSchema refuses tables that this version cannot read.
func (d *database) sameSchema(ctx context.Context, _ riverdriver.Driver[*sql.Tx], _ *slog.Logger) error {
	var schema int
	if err := d.read().row(ctx, `SELECT COALESCE(MAX(version), 0) FROM curfew_schema`).Scan(&schema); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if known := len(migrations); schema < known {
		return fmt.Errorf("the tables are those of a version before (schema %d, this one reads %d)", schema, known)
	}
	return checkVersion(schema)
}

// checkVersion refuses a schema that is more than one version ahead of this one.
func checkVersion(schema int) error {
	if known := len(migrations); schema > known+1 {
		return fmt.Errorf("the database was written by a much newer curfew (schema %d, this one knows %d); run that version, or the one before it", schema, known)
	}
	return nil
}

func migrateRiver(ctx context.Context, driver riverdriver.Driver[*sql.Tx], logger *slog.Logger) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: logger})
	if err != nil {
		return fmt.Errorf("prepare River's tables: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River's tables: %w", err)
	}
	return nil
}
