package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"
)

const (
	watchEvery  = time.Second
	saveTimeout = 30 * time.Second
)

// Watch returns nil once ctx ends. It returns an ErrMoved when the file of the database was
// deleted or replaced: what is written from then on would be lost. What the lost file holds
// is copied to a new one next to it.
func (s *Store) Watch(ctx context.Context) error {
	d := s.db
	if d.file == nil {
		<-ctx.Done()
		return nil
	}
	lost := make(chan error, 1)
	go d.file.watch(ctx, d.log, lost) // not waited for: a disk that hangs may keep it
	select {
	case <-ctx.Done():
		return nil
	case err := <-lost:
		d.health.moved.Store(&err)
		saved, serr := d.file.save(ctx, d.db)
		if serr != nil {
			d.log.Error("what the lost file of the database holds could not be saved", zap.Error(serr))
			return fmt.Errorf("%w; curfew stops, as what it writes would be lost: put the file back, restore a back-up with curfew backup --restore, or start with an empty database", err)
		}
		return fmt.Errorf("%w; curfew stops, as what it writes would be lost; all it knew is in %s: put that in its place with curfew backup --restore", err, saved)
	}
}

// watch sends the error of the first check that finds another file.
func (c *Claim) watch(ctx context.Context, log *zap.Logger, lost chan<- error) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	missing := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := c.Check()
		if err == nil {
			err = c.checkWAL(&missing)
		}
		if errors.Is(err, ErrMoved) {
			lost <- err
			return
		}
		if err != nil {
			log.Warn("the file of the database was not checked; trying again", zap.Error(err))
		}
	}
}

// checkWAL returns an ErrMoved when the -wal file, which holds the latest changes, is missing
// twice running: SQLite removes and makes it only when it closes and opens the database.
func (c *Claim) checkWAL(missing *int) error {
	if _, err := os.Stat(c.path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		*missing = 0
		return nil
	}
	if *missing++; *missing < 2 {
		return nil
	}
	return fmt.Errorf("the file %s-wal, which holds the latest changes of the database, was deleted or moved away while it was in use: %w", c.path, ErrMoved)
}

// save copies what the open file holds, whatever its name stands for now.
func (c *Claim) save(ctx context.Context, db *sql.DB) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	saved := c.path + ".saved-" + time.Now().UTC().Format("20060102T150405Z")
	f, err := os.OpenFile(saved, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, saved); err != nil {
		return "", errors.Join(err, f.Close(), removed(saved))
	}
	return saved, errors.Join(f.Sync(), f.Close())
}
