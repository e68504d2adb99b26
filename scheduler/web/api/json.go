package api

import (
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A Run is a run as the API shows it. Absent instants and ids are null.
type Run struct {
	ID                  string     `json:"id"`
	Environment         string     `json:"environment"`
	Project             string     `json:"project"`
	Schedule            string     `json:"schedule"`
	Action              string     `json:"action"`
	Trigger             string     `json:"trigger"`
	State               string     `json:"state"`
	FireAt              time.Time  `json:"fire_at"`
	AcceptedAt          *time.Time `json:"accepted_at"`
	FinishedAt          *time.Time `json:"finished_at"`
	OperationActivityID *string    `json:"operation_activity_id"`
	Attempts            []Attempt  `json:"attempts"`
	Message             *string    `json:"message"`
	SupersededBy        *string    `json:"superseded_by"`
	By                  string     `json:"by"` // who asked for it: schedule, token, or a person's name
}

// An Attempt is one LCS call of a run.
type Attempt struct {
	At                  time.Time `json:"at"`
	Account             string    `json:"account"`
	Outcome             string    `json:"outcome"`
	Message             *string   `json:"message"`
	OperationActivityID *string   `json:"operation_activity_id"`
	Unseen              bool      `json:"unseen"` // made without an observation, since metadata was not to be had
}

// An Environment is an environment of the schedule file and what is known of it.
type Environment struct {
	Name            string     `json:"name"`
	Project         string     `json:"project"`
	ID              string     `json:"id"`
	Tags            []string   `json:"tags"`
	CostPerHour     float64    `json:"cost_per_hour"`
	Wanted          string     `json:"wanted"`
	Because         string     `json:"because"`
	Observed        string     `json:"observed"` // running, stopped, starting, …; unknown when it was never seen
	ObservedAt      *time.Time `json:"observed_at"`
	DeploymentState *string    `json:"deployment_state"`
	LCSName         *string    `json:"lcs_name"`
	NextFire        *Fire      `json:"next_fire"`
	Run             *Run       `json:"run"`     // the unfinished one
	Waiting         *string    `json:"waiting"` // what that run waits for: approval, quota, …
	Manual          *Manual    `json:"manual"`  // the start or stop by hand that holds
	Note            *string    `json:"note"`    // what a person may have to do
}

// A Manual is a start or stop by hand, which holds until the next fire.
type Manual struct {
	Action string     `json:"action"`
	At     time.Time  `json:"at"`
	Until  *time.Time `json:"until"` // null when no fire comes within a year
	Run    string     `json:"run"`
	By     string     `json:"by"`
}

// A File is the daemon's schedule file.
type File struct {
	Path        string    `json:"path"`
	Digest      string    `json:"digest"`   // of its content and that of its .ics files
	Timezone    string    `json:"timezone"` // of instants that have none of their own
	ActiveSince time.Time `json:"active_since"`
	// Refused says why the file as it is now is not active; null when it is.
	Refused *Refused `json:"refused"`
	// Other is the file that another replica has, where it has another; null when all have
	// this one.
	Other *OtherFile `json:"other"`
}

// An OtherFile is the schedule file of another replica. The replicas with the newest one
// make the fires.
type OtherFile struct {
	Digest   string    `json:"digest"`
	Newer    bool      `json:"newer"`
	LoadedAt time.Time `json:"loaded_at"`
}

// A Refused file has errors: the one before it stays active.
type Refused struct {
	At       time.Time `json:"at"`
	Problems []string  `json:"problems"` // file:line:col: message, all of them
}

// A Fire is a coming or past fire.
type Fire struct {
	At          time.Time `json:"at"`
	Action      string    `json:"action"`
	Environment string    `json:"environment"`
	Schedule    string    `json:"schedule"`
	Reason      string    `json:"reason"`
}

// An Override is a temporary exception that somebody made.
type Override struct {
	ID           string     `json:"id"`
	Environments []string   `json:"environments"`
	Keep         string     `json:"keep"` // running or stopped
	From         time.Time  `json:"from"`
	Until        time.Time  `json:"until"`
	Reason       *string    `json:"reason"`
	By           string     `json:"by"` // who made it
	CreatedAt    time.Time  `json:"created_at"`
	ReleasedAt   *time.Time `json:"released_at"`
	State        string     `json:"state"` // pending, active, expired or released
	Stale        []string   `json:"stale"` // its environments that the schedule file does not have
}

// A Reloaded is what a reload of the schedule file changed.
type Reloaded struct {
	Status       string `json:"status"` // reloaded
	Environments Names  `json:"environments"`
	Schedules    Names  `json:"schedules"`
	Days         int    `json:"days"` // over how many fires are compared
	Gained       int    `json:"fires_gained"`
	Lost         int    `json:"fires_lost"`
	Summary      string `json:"summary"` // all this in one line
}

// Names are the names that differ between two files.
type Names struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// All returns the names, sorted.
func (n Names) All() []string {
	return slices.Sorted(slices.Values(slices.Concat(n.Added, n.Removed, n.Changed)))
}

func overrideOf(o scheduler.OverrideStatus) Override {
	out := Override{
		ID: o.ID, Environments: o.Environments, Keep: string(o.Keep), From: o.From, Until: o.Until, Reason: orNil(o.Reason), By: o.By.String(),
		CreatedAt: o.CreatedAt, ReleasedAt: moment(o.ReleasedAt, o.From.Location()), State: o.State, Stale: o.Stale,
	}
	if out.Stale == nil {
		out.Stale = []string{}
	}
	return out
}

// An Account is an account of the schedule file and whether it can sign in.
type Account struct {
	Name     string     `json:"name"`
	Mode     string     `json:"mode"`
	Projects []string   `json:"projects"`
	State    string     `json:"state"` // up, down or unknown
	Since    *time.Time `json:"since"`
	NextTry  *time.Time `json:"next_try"` // of an account that is down
	Message  *string    `json:"message"`  // why it is down
	Login    *Login     `json:"login"`    // of a delegated account
	Holds    []Hold     `json:"holds"`
}

// A Hold keeps an account from some of its calls until an instant.
type Hold struct {
	Subject     string    `json:"subject"` // account, project, calls, metadata or environment
	Project     *string   `json:"project"`
	Environment *string   `json:"environment"`
	Action      *string   `json:"action"` // start or stop
	Until       time.Time `json:"until"`
	Reason      string    `json:"reason"`
}

func holdOf(h scheduler.HoldStatus) Hold {
	return Hold{Subject: string(h.Subject), Project: orNil(h.Project), Environment: orNil(h.Environment), Action: orNil(string(h.Kind)), Until: h.Until.UTC(), Reason: h.Reason}
}

// A Login is what is known of a delegated account's login.
type Login struct {
	User        string    `json:"user"`
	SignedInAt  time.Time `json:"signed_in_at"`
	RefreshedAt time.Time `json:"refreshed_at"`
	LapsesAt    time.Time `json:"lapses_at"` // unless it is refreshed before
}

func accountOf(a scheduler.AccountStatus) Account {
	out := Account{
		Name: a.Name, Mode: a.Mode, Projects: a.Projects, State: string(a.State), Since: moment(a.Since, time.UTC),
		NextTry: moment(a.NextTry, time.UTC), Message: orNil(a.Message), Holds: items(a.Holds, holdOf),
	}
	if l := a.Login; l != nil {
		out.Login = &Login{User: l.User, SignedInAt: l.SignedInAt, RefreshedAt: l.RefreshedAt, LapsesAt: l.LapsesAt()}
	}
	return out
}

// A Receiver is how deliveries to a receiver of notices go.
type Receiver struct {
	Name         string     `json:"name"`
	Pending      int        `json:"pending"`       // notices that are not delivered yet
	FailingSince *time.Time `json:"failing_since"` // null: it takes notices, or was never sent one
	Message      *string    `json:"message"`       // why it takes nothing
}

func receiverOf(r scheduler.ReceiverStatus) Receiver {
	return Receiver{Name: r.Name, Pending: r.Pending, FailingSince: moment(r.Failing, time.UTC), Message: orNil(r.Message)}
}

// A List is a page of a listing; NextCursor is null on the last one.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

func list[T any](items []T, next string) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{Items: items, NextCursor: orNil(next)}
}

// orNil is nil for the zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func runOf(r scheduler.Run) Run {
	zone := r.FireAt.Location()
	out := Run{
		ID: r.ID, Environment: r.Environment, Project: r.Project, Schedule: r.Schedule, Action: string(r.Action), Trigger: string(r.Trigger),
		State: string(r.State), FireAt: r.FireAt, AcceptedAt: moment(r.AcceptedAt, zone), FinishedAt: moment(r.FinishedAt, zone),
		OperationActivityID: orNil(r.OperationActivityID), Message: orNil(r.Message), SupersededBy: orNil(r.SupersededBy), By: r.By.String(), Attempts: []Attempt{},
	}
	for _, a := range r.Attempts {
		out.Attempts = append(out.Attempts, Attempt{
			At: a.At.In(zone), Account: a.Account, Outcome: string(a.Outcome), Message: orNil(a.Message), OperationActivityID: orNil(a.OperationActivityID), Unseen: a.Unseen,
		})
	}
	return out
}

// moment returns an instant in a schedule's zone, nil when it has not come.
func moment(t time.Time, zone *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone)
	return &t
}

// FireOf returns a fire in the API's form.
func FireOf(f plan.Fire) Fire {
	return Fire{At: f.At, Action: string(f.Action), Environment: f.Environment, Schedule: f.Schedule, Reason: f.Reason}
}

func environmentOf(s scheduler.EnvironmentStatus) Environment {
	out := Environment{
		Name: s.Name, Project: s.Project, ID: s.ID, Tags: s.Tags, CostPerHour: s.CostPerHour, Wanted: string(s.Wanted), Because: s.Because,
		Observed: "unknown", ObservedAt: moment(s.Observation.At, time.UTC),
		DeploymentState: orNil(s.Observation.DeploymentState), LCSName: orNil(s.Observation.Name),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	if s.Observation.Condition != "" {
		out.Observed = string(s.Observation.Condition)
	}
	if s.NextFire != nil {
		out.NextFire = orNil(FireOf(*s.NextFire))
	}
	if s.Run != nil {
		r := runOf(*s.Run)
		out.Run, out.Waiting = &r, orNil(string(s.Run.Waiting))
	}
	if m := s.Manual; m != nil {
		out.Manual = &Manual{Action: string(m.Action), At: m.At, Until: moment(m.Until, m.At.Location()), Run: m.Run, By: m.By.String()}
	}
	out.Note = orNil(noteOf(s))
	return out
}

// noteOf points out an environment that runs although nothing wants it.
func noteOf(s scheduler.EnvironmentStatus) string {
	if s.Unstopped == nil {
		return ""
	}
	when := "nothing stops it within a year"
	if at := s.Unstopped.At; !at.IsZero() {
		when = "nothing stops it before " + at.Format("Mon 2006-01-02 15:04")
	}
	return fmt.Sprintf("%s is running; %s, since loading a file never stops anything: curfew stop %s", s.Name, when, s.Name)
}
