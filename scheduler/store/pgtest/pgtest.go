// Package pgtest starts a PostgreSQL server of its own for tests: as a user who is
// not root, on loopback, in a folder that goes with it.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"curfew/internal/freeport"
)

// ErrAbsent means that this machine has no PostgreSQL server installed.
var ErrAbsent = errors.New("no PostgreSQL server is installed: apt-get install postgresql, or put initdb and pg_ctl in PATH")

// A Server is a PostgreSQL server. It is safe for concurrent use.
type Server struct {
	bin, dir string
	port     int
	password string
	user     *owner // nil: the present one
	made     atomic.Int64
}

// An owner is the user as whom the server runs.
type owner struct{ uid, gid uint32 }

// Start makes a database cluster and starts its server. Stop ends both.
func Start(ctx context.Context) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "curfew-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, password: rand.Text()}
	if err := errors.Join(s.own(), s.init(ctx)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if s.port, err = freeport.Pick(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Up(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// find searches the server's programs in PATH and where Debian puts them.
func find() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // the other programs are next to it
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrAbsent
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// own makes a user whom the server accepts the owner of the folder: not root.
func (s *Server) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.user = &owner{uint32(uid), uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) init(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if s.user != nil {
		if err := os.Chown(secret, int(s.user.uid), int(s.user.gid)); err != nil {
			return err
		}
	}
	return s.run(ctx, "initdb", "-A", "scram-sha-256", "--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C", "--pwfile="+secret, "-D", s.data())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Up starts the server after Down.
func (s *Server) Up(ctx context.Context) error {
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -p %d -c unix_socket_directories=%s -c fsync=off -c autovacuum=off -c max_connections=400", s.port, s.dir)
	log := filepath.Join(s.dir, "log")
	if err := s.run(ctx, "pg_ctl", "-w", "-D", s.data(), "-l", log, "-o", options, "start"); err != nil {
		said, _ := os.ReadFile(log)
		return fmt.Errorf("%w\nthe server's log: %s", err, said)
	}
	return nil
}

// Down ends the server at once, as a crash does; its data stay.
func (s *Server) Down(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-w", "-m", "immediate", "-D", s.data(), "stop")
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	return errors.Join(s.Down(context.Background()), os.RemoveAll(s.dir))
}

func (s *Server) outputOf(program string) string { return filepath.Join(s.dir, program+".output") }

func (s *Server) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...) //nolint:gosec // the programs of the server that was found
	cmd.Dir = s.dir
	runAs(cmd, s.user)
	output := s.outputOf(name) // a pipe would be kept open by the server
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(output)
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the address of a database, over another way to the server if addr is
// not "".
func (s *Server) URL(database, addr string) string {
	if addr == "" {
		addr = s.Addr()
	}
	return fmt.Sprintf("postgres://postgres:%s@%s/%s", s.password, addr, database)
}

// Create makes an empty database and returns its name.
func (s *Server) Create(ctx context.Context) (string, error) { return s.Copy(ctx, "template0") }

// Copy makes a database with the content of another, which nobody has open, and returns
// its name.
func (s *Server) Copy(ctx context.Context, template string) (string, error) {
	db, err := sql.Open("pgx", s.URL("postgres", ""))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	name := fmt.Sprintf("curfew_%d", s.made.Add(1))
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template)
	return name, err
}

// Rotate changes the password of the superuser, for new connections.
func (s *Server) Rotate(ctx context.Context, password string) error {
	db, err := sql.Open("pgx", s.URL("postgres", ""))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "ALTER ROLE postgres PASSWORD '"+password+"'"); err != nil {
		return err
	}
	s.password = password
	return nil
}

// Dump returns the whole content of a database as text.
func (s *Server) Dump(ctx context.Context, database string) (string, error) {
	const program = "pg_dump"
	if err := s.run(ctx, program, "--dbname="+s.URL(database, "")); err != nil {
		return "", err
	}
	b, err := os.ReadFile(s.outputOf(program))
	return string(b), err
}
