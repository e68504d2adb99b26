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

// migrate applies each migration that the database lacks, in a transaction of its
// own. A schema that is one version ahead is worked with: while replicas are
// upgraded one by one, the old ones go on beside the new.
func (s *Store) migrate(ctx context.Context) error {
	if _, err := s.read().exec(ctx, `CREATE TABLE IF NOT EXISTS curfew_schema (version BIGINT NOT NULL)`); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	var version int
	if err := s.read().row(ctx, `SELECT COALESCE(MAX(version), 0) FROM curfew_schema`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	known := len(migrations)
	switch {
	case version > known+1:
		return fmt.Errorf("the database was written by a much newer curfew (schema %d, this one knows %d); run that version, or the one before it", version, known)
	case version > known:
		s.log.Warn("the database belongs to the next version of curfew already; upgrade this one too", zap.Int("schema", version), zap.Int("known", known))
	}
	for i := version; i < known; i++ {
		err := s.do(ctx, func(q session) error {
			if _, err := q.exec(ctx, migrations[i]); err != nil {
				return err
			}
			_, err := q.exec(ctx, `INSERT INTO curfew_schema (version) VALUES (?)`, i+1)
			return err
		})
		if err != nil {
			return fmt.Errorf("migrate the schema to version %d: %w", i+1, err)
		}
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
