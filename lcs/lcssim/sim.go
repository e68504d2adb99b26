// Package lcssim is a simulator of the LCS environment API, for tests, benchmarks
// and the demo. It speaks HTTP over a real socket or in memory, where it works
// inside a testing/synctest bubble.
//
// Facts, from Microsoft's reference pages: paths, envelope, start on a started
// environment succeeds, stop on a stopped one does not, quotas and 429 with
// Retry-After in seconds, the activity-id header, date forms. Assumptions: the
// windows slide, they count accepted and refused calls, a page holds 7, the texts
// of refusals (LCS's are not published), the flags on the way between states.
package lcssim

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options tune a Sim; the zero value behaves as LCS is known to.
type Options struct {
	Now       func() time.Time // time.Now when nil
	StartTime time.Duration    // from the accepted start to running, 170 s when zero
	StopTime  time.Duration    // from the accepted stop to stopped, 150 s when zero
	PageSize  int              // environments on a page, 7 when zero
	Limits    *Limits          // the documented ones when nil
	Tokens    []string         // bearer tokens that are accepted; any when empty
	Entra     *Entra           // accepts the tokens that it issued, instead of Tokens
	Seed      uint64           // of the activity ids
	Keep      int              // how many requests to remember, 100,000 when zero
}

// A Limit allows Calls in any stretch of Window; the zero Limit allows all.
type Limit struct {
	Calls  int
	Window time.Duration
}

// Limits are the quotas of LCS.
type Limits struct {
	OperationPerEnvironment Limit // start, and stop
	OperationPerUser        Limit // start, and stop
	MetadataPerProject      Limit
	HistoryPerEnvironment   Limit
	HistoryPerProject       Limit
}

// DocumentedLimits are those of Microsoft's pages "Start and stop environments",
// "Environment metadata" and "Environment history". They repeat the numbers of
// package lcs on purpose: a wrong number there must not make the simulator wrong
// in the same way.
func DocumentedLimits() *Limits {
	return &Limits{
		OperationPerEnvironment: Limit{1, 5 * time.Minute},
		OperationPerUser:        Limit{30, 30 * time.Minute},
		MetadataPerProject:      Limit{6, time.Minute},
		HistoryPerEnvironment:   Limit{6, 30 * time.Second},
		HistoryPerProject:       Limit{6, time.Minute},
	}
}

// A State is a deployment state in LCS's words.
type State string

// The states that the simulator goes through by itself.
const (
	Finished  State = "Finished"
	Stopping  State = "Stopping"
	Stopped   State = "Stopped"
	Starting  State = "Starting"
	Servicing State = "Servicing"
)

// An Environment is one simulated environment.
type Environment struct {
	ID             string // as LCS writes it: with or without dashes
	Name           string
	State          State  // Finished when ""
	Infrastructure string // CustomerManaged when ""
	Type           string // DevTestDev when ""
}

// A Request is one recorded request.
type Request struct {
	At            time.Time
	Method, Path  string
	Query         string
	Verb          Verb
	Project       int64
	Environment   string // normalised, "" for a page
	User          string // a digest of the account, or of a token that no Entra issued; never the token
	Account       string // the user name, when an Entra issued the token
	Status        int
	Accepted      bool // a start or stop that LCS carried out
	Struck        []FaultKind
	ActivityID    string
	MSVersion     string
	ContentType   string
	ContentLength int64
}

// A Verb is what a request is for.
type Verb string

// The verbs; Any matches each of them in a Fault.
const (
	Any      Verb = ""
	Start    Verb = "start"
	Stop     Verb = "stop"
	Metadata Verb = "metadata"
	History  Verb = "history"
)

// A Sim is a simulated LCS. It is safe for concurrent use.
type Sim struct {
	opts Options

	mu       sync.Mutex // guards what follows; written by requests and by the test
	rand     *rand.Rand
	projects map[int64][]*environment
	byID     map[string]*environment
	made     map[string][]time.Time // calls of each quota scope
	faults   []*Fault
	requests []Request
}

type environment struct {
	Environment
	project int64
	state   State
	until   time.Time // end of the transition
	next    State
	failed  bool // the last operation ended as failed
	history []action
	rows    func(row map[string]any) []any // see Rows
}

type action struct {
	name, status string
	start, end   time.Time
	id           string
}

// New makes a simulator without projects.
func New(o Options) *Sim {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.StartTime == 0 {
		o.StartTime = 170 * time.Second
	}
	if o.StopTime == 0 {
		o.StopTime = 150 * time.Second
	}
	if o.PageSize == 0 {
		o.PageSize = 7
	}
	if o.Limits == nil {
		o.Limits = DocumentedLimits()
	}
	if o.Keep == 0 {
		o.Keep = 100_000
	}
	return &Sim{
		opts: o, rand: rand.New(rand.NewPCG(o.Seed, 0)), projects: map[int64][]*environment{}, //nolint:gosec // reproducible on purpose
		byID: map[string]*environment{}, made: map[string][]time.Time{},
	}
}

// AddProject adds a project; adding it twice does nothing.
func (s *Sim) AddProject(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.projects[id] == nil {
		s.projects[id] = []*environment{}
	}
}

// AddEnvironment adds an environment, and its project where it is missing.
func (s *Sim) AddEnvironment(project int64, e Environment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.State == "" {
		e.State = Finished
	}
	if e.Infrastructure == "" {
		e.Infrastructure = "CustomerManaged"
	}
	if e.Type == "" {
		e.Type = "DevTestDev"
	}
	env := &environment{Environment: e, project: project, state: e.State}
	s.projects[project] = append(s.projects[project], env)
	s.byID[normalize(e.ID)] = env
}

func normalize(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

// State returns an environment's state now.
func (s *Sim) State(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	env := s.byID[normalize(id)]
	if env == nil {
		return ""
	}
	env.settle(s.opts.Now())
	return env.state
}

// Set puts an environment into a state, as somebody else's operation would.
func (s *Sim) Set(id string, state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if env := s.byID[normalize(id)]; env != nil {
		env.state, env.until, env.failed = state, time.Time{}, false
	}
}

// Rows has metadata list other rows in place of an environment's own: those that change
// returns of it, as they are.
func (s *Sim) Rows(id string, change func(row map[string]any) []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if env := s.byID[normalize(id)]; env != nil {
		env.rows = change
	}
}

// Requests returns what was asked so far, oldest first.
func (s *Sim) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests[max(0, len(s.requests)-s.opts.Keep):]...)
}

// Count counts the recorded requests that match.
func (s *Sim) Count(match func(Request) bool) int {
	n := 0
	for _, r := range s.Requests() {
		if match(r) {
			n++
		}
	}
	return n
}

// Accepted counts the operations that were carried out on an environment; "" and
// Any count all.
func (s *Sim) Accepted(id string, v Verb) int {
	return s.Count(func(r Request) bool {
		return r.Accepted && (id == "" || r.Environment == normalize(id)) && (v == Any || r.Verb == v)
	})
}

// Throttled counts the 429 answers.
func (s *Sim) Throttled() int {
	return s.Count(func(r Request) bool { return r.Status == 429 })
}

// settle ends a transition whose time has come.
func (e *environment) settle(now time.Time) {
	if !e.until.IsZero() && !now.Before(e.until) {
		e.state, e.until = e.next, time.Time{}
	}
}

// activityID makes an id in the form of a GUID.
func (s *Sim) activityID() string {
	a, b := s.rand.Uint64(), s.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// take counts a call against the scopes, or returns how long until one is free.
func (s *Sim) take(now time.Time, scopes []scope) time.Duration {
	var wait time.Duration
	for _, sc := range scopes {
		if sc.limit.Calls == 0 {
			continue
		}
		made := s.made[sc.name]
		for len(made) > 0 && now.Sub(made[0]) >= sc.limit.Window {
			made = made[1:]
		}
		s.made[sc.name] = made
		if len(made) >= sc.limit.Calls {
			wait = max(wait, made[len(made)-sc.limit.Calls].Add(sc.limit.Window).Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for _, sc := range scopes {
		if sc.limit.Calls > 0 {
			s.made[sc.name] = append(s.made[sc.name], now)
		}
	}
	return 0
}

// A scope is a quota, by the name of what its calls are counted for.
type scope struct {
	name  string
	limit Limit
}

// scopesOf returns the quotas a request falls under.
func (s *Sim) scopesOf(r Request) []scope {
	l := s.opts.Limits
	verb := string(r.Verb)
	switch project := strconv.FormatInt(r.Project, 10); r.Verb {
	case Start, Stop:
		return []scope{{verb + "/user/" + r.User, l.OperationPerUser}, {verb + "/environment/" + r.Environment, l.OperationPerEnvironment}}
	case History:
		return []scope{{"history/project/" + project, l.HistoryPerProject}, {"history/environment/" + r.Environment, l.HistoryPerEnvironment}}
	default:
		return []scope{{"metadata/project/" + project, l.MetadataPerProject}}
	}
}

// operate carries out a start or stop. It returns LCS's refusal, or "".
func (s *Sim) operate(env *environment, v Verb, now time.Time, f fault) (refusal string, accepted bool) {
	env.settle(now)
	switch {
	case env.Infrastructure != "CustomerManaged":
		return "The operation is not supported for this environment.", false
	case env.state == Finished && v == Start:
		return "", false // LCS calls it a success and does nothing
	case env.state == Stopped && v == Stop:
		return "The environment is already stopped.", false
	case env.state != Finished && env.state != Stopped:
		return "Another operation is in progress.", false
	}
	env.history = append(env.history, action{string(v), "Completed", now, now.Add(s.duration(v)), s.activityID()})
	env.failed = false
	from := env.state
	env.state, env.next, env.until = Starting, Finished, now.Add(s.opts.StartTime)
	if v == Stop {
		env.state, env.next, env.until = Stopping, Stopped, now.Add(s.opts.StopTime)
	}
	switch {
	case f.has(AcceptedNoChange):
		env.state, env.until = from, time.Time{}
	case f.has(StuckTransition):
		env.until = time.Time{}
	case f.has(EndsFailed):
		env.next, env.failed = from, true
	}
	return "", true
}

func (s *Sim) duration(v Verb) time.Duration {
	if v == Stop {
		return s.opts.StopTime
	}
	return s.opts.StartTime
}
