package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

// A tenancy is a database with a user of its own, whose password can be rotated.
type tenancy struct {
	t     *testing.T
	admin *sql.DB
	role  string
	base  string // the superuser's URL of the database
}

func newTenancy(t *testing.T) *tenancy {
	t.Helper()
	server := postgresServer(t)
	name, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", server.URL(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	p := &tenancy{t: t, admin: admin, role: name + "_user", base: server.URL(name, "")}
	p.exec(`CREATE ROLE ` + p.role + ` LOGIN PASSWORD 'old'`)
	p.exec(`ALTER DATABASE ` + name + ` OWNER TO ` + p.role)
	return p
}

func (p *tenancy) exec(statement string) {
	p.t.Helper()
	if _, err := p.admin.ExecContext(p.t.Context(), statement); err != nil {
		p.t.Fatal(err)
	}
}

// dsn returns the URL of the database for a user.
func (p *tenancy) dsn(user, password string) string {
	u, err := url.Parse(p.base)
	if err != nil {
		p.t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// cutOff ends every connection of the user, and waits until they are gone.
func (p *tenancy) cutOff() {
	p.t.Helper()
	p.exec(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '` + p.role + `'`)
}

// listens reports whether the user has a connection that waits for news of tickets.
func (p *tenancy) listens() bool {
	p.t.Helper()
	var n int
	err := p.admin.QueryRowContext(p.t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '`+p.role+`' AND query LIKE 'LISTEN %'`).Scan(&n)
	if err != nil {
		p.t.Fatal(err)
	}
	return n > 0
}

// answers asks a store that was cut off: each of its idle connections may have to
// fail first.
func answers(ctx context.Context, s *store.Store) (err error) {
	for range 15 {
		if err = s.Ping(ctx); err == nil {
			return nil
		}
	}
	return err
}

func TestRotatedPasswordIsUsedForNewConnections(t *testing.T) {
	tests := []struct {
		name   string
		rotate string                           // by the administrator; USER is the user
		renew  func(p *tenancy) (string, error) // nil: none
		want   string                           // what the error says, "" for an answer
		warns  bool
	}{
		{"without Renew it is not known", `ALTER ROLE USER PASSWORD 'new'`, nil, "password authentication failed", false},
		{"with Renew it is", `ALTER ROLE USER PASSWORD 'new'`, func(p *tenancy) (string, error) { return p.dsn(p.role, "new"), nil }, "", false},
		{
			"a new user is too", `CREATE ROLE USER2 LOGIN PASSWORD 'new' IN ROLE USER; ALTER ROLE USER NOLOGIN`,
			func(p *tenancy) (string, error) { return p.dsn(p.role+"2", "new"), nil }, "", false,
		},
		{
			"nothing but the user and the password is taken", `ALTER ROLE USER PASSWORD 'new'`,
			func(p *tenancy) (string, error) {
				return "postgres://" + p.role + ":new@192.0.2.1:1/elsewhere?sslmode=require", nil
			}, "", false,
		},
		{"a password that was not rotated stays good when Renew returns an error", ``, func(*tenancy) (string, error) { return "", errNoFile }, "", true},
		{"and when it returns no URL", ``, func(*tenancy) (string, error) { return "user=curfew password=top-secret", nil }, "", true},
		{"and when it returns nothing", ``, func(*tenancy) (string, error) { return "", nil }, "", true},
		{"and when it returns a broken URL", ``, func(p *tenancy) (string, error) { return "postgres://" + p.role + ":top-secret/x@127.0.0.1/x", nil }, "", true},
		{
			"a wrong one that Renew returns is not replaced by the old one", ``,
			func(p *tenancy) (string, error) { return p.dsn(p.role, "top-secret"), nil }, "password authentication failed", false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newTenancy(t)
			core, logged := observer.New(zap.WarnLevel)
			o := store.Options{DSN: p.dsn(p.role, "old"), Logger: zap.New(core)}
			var rotated atomic.Bool
			if tt.renew != nil {
				o.Renew = func() (string, error) {
					if rotated.Load() {
						return tt.renew(p)
					}
					return o.DSN, nil
				}
			}
			s, err := store.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			rotated.Store(true)
			p.exec(strings.ReplaceAll(tt.rotate, "USER", p.role))
			p.cutOff()
			err = answers(t.Context(), s)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("after the rotation = %v, want %q", err, tt.want)
			}
			warnings := ""
			for _, e := range logged.All() {
				warnings += fmt.Sprintln(e.Message, e.ContextMap())
			}
			if warned := strings.Contains(warnings, "database again failed"); warned != tt.warns {
				t.Errorf("warned = %v, want %v: %s", warned, tt.warns, warnings)
			}
			if said := warnings + fmt.Sprint(err); strings.Contains(said, "top-secret") {
				t.Errorf("the password is shown: %s", said)
			}
		})
	}
}

var errNoFile = errors.New("open password: no such file")

func TestLastGoodPasswordIsKeptWhileTheDSNCannotBeHad(t *testing.T) {
	p := newTenancy(t)
	var answer atomic.Pointer[string] // nil: an error
	o := store.Options{DSN: p.dsn(p.role, "old"), Renew: func() (string, error) {
		if dsn := answer.Load(); dsn != nil {
			return *dsn, nil
		}
		return "", errNoFile
	}}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p.exec(`ALTER ROLE ` + p.role + ` PASSWORD 'new'`)
	answer.Store(new(p.dsn(p.role, "new")))
	p.cutOff()
	if err := answers(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	answer.Store(nil)
	p.cutOff()
	if err := answers(t.Context(), s); err != nil {
		t.Errorf("after the DSN could be had once = %v, want the password of then to be used", err)
	}
}

func TestTicketsAreListenedForAgainAfterAPasswordWasRotated(t *testing.T) {
	p := newTenancy(t)
	var dsn atomic.Pointer[string]
	dsn.Store(new(p.dsn(p.role, "old")))
	s, err := store.Open(t.Context(), store.Options{DSN: *dsn.Load(), Poll: 25 * time.Millisecond, Renew: func() (string, error) { return *dsn.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Store: s, t: t, dsn: p.base}
	defer b.Close()
	b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	listened, again := false, false
	check := func() {
		switch {
		case !listened:
			if listened = p.listens(); listened {
				p.exec(`ALTER ROLE ` + p.role + ` PASSWORD 'new'`)
				dsn.Store(new(p.dsn(p.role, "new")))
				p.cutOff()
			}
		case p.listens():
			again = true
			cancel()
		}
	}
	var waker sync.WaitGroup
	waker.Go(func() {
		for ctx.Err() == nil {
			check()
			time.Sleep(20 * time.Millisecond)
		}
	})
	err = b.Queue.Work(ctx, func(scheduler.Ticket) {})
	cancel()
	waker.Wait()
	if err != nil || !again {
		t.Errorf("Work = %v; listened before = %v, after = %v; want both", err, listened, again)
	}
}
