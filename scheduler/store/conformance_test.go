package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"curfew/internal/longtest"
	"curfew/scheduler/store"
	"curfew/scheduler/store/pgtest"
)

var postgres struct {
	once   sync.Once
	server *pgtest.Server
	err    error
}

func TestMain(m *testing.M) {
	longtest.Draw(40)
	m.Run() // the test binary exits with its code
	if postgres.server != nil {
		if err := postgres.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// postgresServer is one server for all tests of the package. In CI it must be there.
func postgresServer(t testing.TB) *pgtest.Server {
	t.Helper()
	p := &postgres
	p.once.Do(func() { p.server, p.err = pgtest.Start(t.Context()) })
	switch {
	case errors.Is(p.err, pgtest.ErrAbsent) && os.Getenv("CI") == "":
		t.Skip(p.err)
	case p.err != nil:
		t.Fatal(p.err)
	}
	return p.server
}

// prepared are databases that were opened once: to copy one takes less time than to make
// its tables again.
var prepared struct {
	sqlite, postgres sync.Once
	file             []byte
	name             string
}

// preparedFile is the path of a copy of a SQLite database without content.
func preparedFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	prepared.sqlite.Do(func() {
		prepare(t, path)
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		prepared.file = file
	})
	if err := os.WriteFile(path, prepared.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// preparedDSN is a copy of a PostgreSQL database without content.
func preparedDSN(t testing.TB) string {
	t.Helper()
	server := postgresServer(t)
	prepared.postgres.Do(func() {
		name, err := server.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		prepare(t, server.URL(name, ""))
		prepared.name = name
	})
	name, err := server.Copy(t.Context(), prepared.name)
	if err != nil {
		t.Fatal(err)
	}
	return server.URL(name, "")
}

func prepare(t testing.TB, dsn string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: dsn})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// postgresDSN is a new database.
func postgresDSN(t testing.TB) string {
	t.Helper()
	server := postgresServer(t)
	name, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return server.URL(name, "")
}

// A bench is one store under test, which can be closed and opened again.
type bench struct {
	*store.Store
	t     testing.TB
	dsn   string
	poll  time.Duration
	lease time.Duration
}

// onBoth runs a test of the conformance suite on each database.
func onBoth(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, preparedFile(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, preparedDSN(t)))
	})
}

func newBench(t testing.TB, dsn string) *bench {
	t.Helper()
	b := &bench{t: t, dsn: dsn, poll: 25 * time.Millisecond, lease: lease}
	b.open()
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func (b *bench) open() {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), store.Options{DSN: b.dsn, Poll: b.poll, Lease: b.lease})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Store = s
}

// lease is short enough for a test to wait for its end.
const lease = 600 * time.Millisecond

// reopen is what a restart does to the database.
func (b *bench) reopen() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}
