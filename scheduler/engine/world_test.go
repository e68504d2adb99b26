package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const project = 1234567

// token is a credential that is always good.
type token string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A world is an engine with its database and a simulated LCS, inside a bubble.
type world struct {
	t        *testing.T
	sim      *lcssim.Sim
	dsn      string
	setup    scheduler.Setup
	logs     *observer.ObservedLogs
	log      *zap.Logger
	schedule plan.Schedule
	cancel   context.CancelFunc
	done     chan error
	store    *store.Store
	engine   *engine.Engine
	accounts []string
	others   []scheduler.Project // more projects; the names of their accounts are enough
	long     bool                // days of simulated time: without River
	clock    *clock.Clock        // of the process; a right one when nil
	atOnce   int                 // calls in flight at most; the engine's own bound when 0
	// file returns what build compiles, where it is more than the one schedule.
	file func(environments []string) plan.Spec
	// credential signs an account in; with a token that is always good by default.
	credential func(account string) azcore.TokenCredential
	transport  policy.Transporter // to LCS, the simulator's when nil
	metrics    *prometheus.Registry
	began      time.Time // when the engine was made that runs now: metrics count from then on
}

// newWorld has n environments dev-00, dev-01, … that run mon-fri 07:00-19:00 UTC.
// The bubble's clock begins at midnight UTC of Saturday 2000-01-01.
func newWorld(t *testing.T, n int, opts lcssim.Options) *world {
	core, logs := observer.New(zap.InfoLevel)
	w := &world{
		t: t, sim: lcssim.New(opts), dsn: filepath.Join(t.TempDir(), "curfew.db"), logs: logs, log: zap.New(core), accounts: []string{"main"},
		schedule: plan.Schedule{Name: "office-hours", Location: time.UTC, Uptime: []plan.Window{window(t, "mon-fri 07:00-19:00")}},
	}
	w.credential = func(account string) azcore.TokenCredential { return token("good-" + account) }
	w.sim.AddProject(project)
	for i := range n {
		name := envName(i)
		w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(i), Name: "LCS " + name, State: lcssim.Stopped})
		w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: name, Project: "contoso", ID: envID(i), CostPerHour: float64(i)})
		w.schedule.Environments = append(w.schedule.Environments, name)
	}
	w.setup.Defaults = scheduler.Defaults{CatchUp: 2 * time.Hour, Deadline: 2 * time.Hour, VerifyTimeout: 45 * time.Minute, Order: "cost"}
	return w
}

func envName(i int) string { return fmt.Sprintf("dev-%02d", i) }
func envID(i int) string   { return fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i) }

func window(t *testing.T, s string) plan.Window {
	t.Helper()
	win, err := plan.ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return win
}

// build makes the setup from the schedule.
func (w *world) build() {
	w.t.Helper()
	var names []string
	for _, e := range w.setup.Environments {
		names = append(names, e.Name)
	}
	spec := plan.Spec{Environments: names, Schedules: []plan.Schedule{w.schedule}}
	if w.file != nil {
		spec = w.file(names)
	}
	p, err := plan.Compile(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	w.setup.Plan, w.setup.Rules = p, nil
	add := func(name string, environments []string) {
		for _, env := range environments {
			w.setup.Rules = append(w.setup.Rules, scheduler.Rule{Name: name, Environment: env, Fingerprint: p.Fingerprint(name)})
		}
	}
	for _, s := range spec.Schedules {
		add(s.Name, s.Environments)
	}
	for _, x := range spec.Exceptions {
		add(x.Name, x.Environments)
	}
	if w.transport == nil {
		w.transport = w.sim.Transport()
	}
	w.setup.Projects = []scheduler.Project{{Name: "contoso", ID: project}}
	for _, a := range w.accounts {
		w.setup.Projects[0].Accounts = append(w.setup.Projects[0].Accounts, w.account(a))
	}
	for _, p := range w.others {
		accounts := make([]scheduler.Account, len(p.Accounts))
		for i, name := range p.AccountNames() {
			accounts[i] = w.account(name)
		}
		p.Accounts = accounts
		w.setup.Projects = append(w.setup.Projects, p)
	}
}

// account returns an account that signs in with the world's credential.
func (w *world) account(name string) scheduler.Account {
	w.t.Helper()
	cred := w.credential(name)
	client, err := lcs.NewClient("https://lcs.invalid", cred, &lcs.ClientOptions{Transport: w.transport})
	if err != nil {
		w.t.Fatal(err)
	}
	account := scheduler.Account{Name: name, Client: client}
	account.Credential, _ = cred.(scheduler.Credential)
	return account
}

// open opens the database.
func (w *world) open() *store.Store {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Options{DSN: w.dsn, Poll: 5 * time.Second, Clock: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	return s
}

// storesOf returns the slices of the database that an engine works on.
func storesOf(s *store.Store) engine.Stores {
	return engine.Stores{
		Ticks: s.Runs, Requests: s.Runs, Runs: s.Runs, Passes: s.Passes, Calls: s.Ledger, Metadata: s.Observations, Holds: s.Holds,
		Overrides: s.Overrides, Events: s.Events, Warnings: s.Deliveries, Links: s.Links, Queue: s.Queue, Upkeep: s,
	}
}

// start builds everything again, as a new process does.
func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel = cancel
	s := storesOf(w.open())
	if w.long {
		s.Queue = localQueue{s.Queue}
	}
	w.runWith(ctx, s)
}

func (w *world) runWith(ctx context.Context, s engine.Stores) {
	w.t.Helper()
	w.build()
	setup := w.setup
	w.metrics, w.began = prometheus.NewRegistry(), time.Now()
	e, err := engine.New(engine.Options{Stores: s, Logger: w.log, Registerer: w.metrics, Setup: &setup, Clock: w.store.Clock, CallsAtOnce: w.atOnce})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine, w.done = e, make(chan error, 1)
	go func() { w.done <- e.Run(ctx) }()
}

// idle returns an engine on the open database that does nothing by itself.
func (w *world) idle() *engine.Engine {
	w.t.Helper()
	w.build()
	setup := w.setup
	e, err := engine.New(engine.Options{Stores: storesOf(w.store), Setup: &setup, Clock: w.store.Clock})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// reload makes the world's schedule the active one again.
func (w *world) reload() {
	w.t.Helper()
	w.build()
	setup := w.setup
	if err := w.engine.Reload(w.t.Context(), &setup, engine.Reloading{By: scheduler.BySchedule}); err != nil {
		w.t.Fatal(err)
	}
}

// stop ends the engine as SIGTERM does.
func (w *world) stop() {
	w.t.Helper()
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// until lets the bubble's time pass.
func until(at string) {
	t, err := time.Parse("2006-01-02 15:04:05", at)
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Until(t))
	synctest.Wait()
}

// monday is the Monday of the bubble's first week.
func monday(hour, minute int) time.Time { return time.Date(2000, 1, 3, hour, minute, 0, 0, time.UTC) }

// runs returns every run, oldest first.
func (w *world) runs() []scheduler.Run {
	w.t.Helper()
	runs, _, err := w.engine.Runs(w.t.Context(), scheduler.RunFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(runs)
	return runs
}

// finished lets time pass until every run is at its end, or until an instant.
func (w *world) finished(latest time.Time) {
	w.t.Helper()
	for time.Now().Before(latest) {
		runs := w.runs()
		if len(runs) > 0 && !slices.ContainsFunc(runs, func(r scheduler.Run) bool { return !r.State.Finished() }) {
			return
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
	}
}

// only returns the one run there is.
func (w *world) only() scheduler.Run {
	w.t.Helper()
	runs := w.runs()
	if len(runs) != 1 {
		w.t.Fatalf("there are %d runs, want 1: %+v", len(runs), runs)
	}
	return runs[0]
}

// triggers lists what was written, oldest first: "stop override".
func (w *world) triggers() []string {
	var list []string
	for _, r := range w.runs() {
		list = append(list, string(r.Action)+" "+string(r.Trigger))
	}
	return list
}

// events returns the events of some kinds, oldest first; of all kinds when none is named.
func (w *world) events(kinds ...scheduler.EventKind) []scheduler.Event {
	w.t.Helper()
	var list []scheduler.Event
	for after := ""; ; {
		page, err := w.store.Events.After(w.t.Context(), after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page {
			if after = e.ID; len(kinds) == 0 || slices.Contains(kinds, e.Kind) {
				list = append(list, e)
			}
		}
		if len(page) < 1000 {
			return list
		}
	}
}

// state fails the test unless the environment is in a state.
func (w *world) state(i int, want lcssim.State) {
	w.t.Helper()
	if got := w.sim.State(envID(i)); got != want {
		w.t.Errorf("at %s %s is %s, want %s", time.Now().UTC().Format("Mon 15:04:05"), envName(i), got, want)
	}
}

// keep makes an override of one environment.
func (w *world) keep(i int, keep plan.Wanted, until time.Time) scheduler.Override {
	w.t.Helper()
	o, _, err := w.engine.Override(w.t.Context(), scheduler.Override{Environments: []string{envName(i)}, Keep: keep, Until: until, Reason: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// ask starts or stops the first environment by hand.
func (w *world) ask(action plan.Action) scheduler.Run {
	w.t.Helper()
	r, err := w.engine.Request(w.t.Context(), envName(0), action, scheduler.ByToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}
