// Package demo is a daemon with a built-in LCS simulator, and a week of history.
package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const (
	startTime = 8 * time.Second
	stopTime  = 6 * time.Second
	interval  = 5 * time.Second
)

// lcsTokens are those of the accounts, by the file that each is in.
var lcsTokens = map[string]string{"token": "demo-token-that-opens-nothing", "token-2": "another-token-that-opens-nothing"}

//go:embed demo.yaml
var file string

// An Access is how commands reach a demo.
type Access struct {
	Server, Config string
	TokenFile      string // of the API token, "" when the variable CURFEW_API_TOKEN has set it
}

// Run runs the daemon on a simulated LCS until ctx ends, in a folder that is removed then.
// It uses the address, the logger, the environment and the version of o, and calls ready,
// which must not block, once it can be used.
func Run(ctx context.Context, o daemon.Options, ready func(Access)) (err error) {
	dir, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the simulator: %w", err)
	}
	o.Path, err = writeFile(dir, "http://"+listener.Addr().String())
	if err != nil {
		return err
	}
	cfg, p, _, err := daemon.Load(o.Path, config.Options{})
	if err != nil {
		return err
	}
	began := time.Now().Add(-time.Minute) // as if it had been running for a minute: the first fires are due at once
	past, err := newHistory(cfg, p, began)
	if err != nil {
		return err
	}
	how := Access{Config: o.Path}
	if o.Getenv, how.TokenFile, err = withToken(o.Getenv, dir); err != nil {
		return err
	}
	o.Database = daemon.Database{DSN: filepath.Join(dir, "curfew.db")}
	o.Demo = &daemon.Demo{Interval: interval, Prepare: func(ctx context.Context, s *store.Store, rules []scheduler.Rule) error {
		if _, err := s.Runs.SyncRules(ctx, scheduler.Loading{At: began, Rules: rules}); err != nil {
			return err
		}
		return past.keep(ctx, s, began)
	}, Ready: func(addr net.Addr) {
		how.Server = "http://" + reachable(addr)
		ready(how)
	}}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return serveSim(ctx, listener, newSim(cfg, p, began), zap.NewStdLog(o.Logger.Named("simulator")))
	})
	g.Go(func() error { return daemon.Run(ctx, o) })
	return daemon.UnlessStopped(ctx, g.Wait())
}

func writeFile(dir, endpoint string) (string, error) {
	for name, token := range lcsTokens {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(token), 0o600); err != nil {
			return "", fmt.Errorf("write a token of the demo: %w", err)
		}
	}
	path := filepath.Join(dir, "schedules.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(file, "ENDPOINT", endpoint)), 0o600); err != nil {
		return "", fmt.Errorf("write the demo's schedule file: %w", err)
	}
	return path, nil
}

// withToken returns an environment that has an API token, and the file that the token is in.
// One is made when none is set: without it, the demo would take no changes.
func withToken(getenv func(string) string, dir string) (func(string) string, string, error) {
	const name = "CURFEW_API_TOKEN"
	if given := getenv(name + "_FILE"); given != "" || getenv(name) != "" {
		return getenv, given, nil
	}
	token, path := rand.Text(), filepath.Join(dir, "api-token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		return nil, "", fmt.Errorf("write the demo's API token: %w", err)
	}
	return func(asked string) string {
		if asked == name {
			return token
		}
		return getenv(asked)
	}, path, nil
}

// reachable is an address to ask from this machine.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// newSim has the file's environments in the states they should have been in.
func newSim(cfg *config.Config, p *plan.Plan, at time.Time) *lcssim.Sim {
	sim := lcssim.New(lcssim.Options{StartTime: startTime, StopTime: stopTime, Tokens: slices.Collect(maps.Values(lcsTokens)), Seed: uint64(at.UnixNano())})
	ids := map[string]int64{}
	for _, project := range cfg.Projects {
		ids[project.Name] = project.ID
	}
	for _, e := range cfg.Environments {
		state := lcssim.Finished
		if (p.Wanted(e.Name, at).Wanted == plan.Stopped) != (e.Name == failing) {
			state = lcssim.Stopped
		}
		sim.AddEnvironment(ids[e.Project], lcssim.Environment{ID: e.ID, Name: e.Name, State: state})
	}
	return sim
}

func serveSim(ctx context.Context, l net.Listener, sim *lcssim.Sim, errorLog *log.Logger) error {
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: errorLog}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the simulator: %w", err)
	}
	return nil
}
