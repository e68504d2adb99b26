package scheduler

import (
	"context"
	"time"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/scheduler/plan"
)

// LCS is what curfew needs of Lifecycle Services, signed in as one account.
type LCS interface {
	Start(ctx context.Context, project int64, environmentID string) (lcs.Operation, error)
	Stop(ctx context.Context, project int64, environmentID string) (lcs.Operation, error)
	EnvironmentsPage(ctx context.Context, project int64, page int) (lcs.Page, error)
	Environment(ctx context.Context, project int64, environmentID string) (lcs.Environment, bool, error)
}

var _ LCS = (*lcs.Client)(nil)

// A Setup is a schedule file, loaded: built as a whole, then swapped.
type Setup struct {
	File         string // the digest of the file and what belongs to it
	Plan         *plan.Plan
	Rules        []Rule
	Location     *time.Location // the zone of instants that have none of their own; UTC when nil
	Leads        map[string]Lead
	Enforced     map[string]string  // by environment: the schedule that also corrects drift
	Warnings     map[string]Warning // by environment
	Environments []Environment
	Projects     []Project
	Defaults     Defaults
	Currency     string // of CostPerHour, for display
}

// A Rule is what one schedule or exception says of one environment; its Fingerprint
// changes when the rule does.
type Rule struct {
	Name, Environment, Fingerprint string
}

// A Lead is how much earlier than its window a schedule starts its environments.
type Lead struct {
	Auto  bool          // as long as their starts take
	Fixed time.Duration // when not Auto; the plan knows of it
}

// A Warning is how long before its stops people are warned of one environment.
type Warning struct {
	Schedules map[string]time.Duration // by schedule of the environment; 0 for not at all
	Otherwise time.Duration            // the longest of them, where no schedule stops it: an override ends, say
}

// Ahead is how long before a stop of a schedule, an exception or an override people are
// warned.
func (w Warning) Ahead(rule string) time.Duration {
	if d, ok := w.Schedules[rule]; ok {
		return d
	}
	return w.Otherwise
}

// An Environment is one environment of the schedule file.
type Environment struct {
	Name        string
	Project     string
	ID          string // as written in the file
	Tags        []string
	CostPerHour float64
}

// A Project is one LCS project of the schedule file.
type Project struct {
	Name     string
	ID       int64
	Accounts []Account // at least one; each has its own LCS quota
	Endpoint string    // of LCS
}

// AccountNames returns the names of the project's accounts.
func (p Project) AccountNames() []string {
	names := make([]string, len(p.Accounts))
	for i, a := range p.Accounts {
		names[i] = a.Name
	}
	return names
}

// Client returns the client of one of the project's accounts.
func (p Project) Client(account string) LCS {
	for _, a := range p.Accounts {
		if a.Name == account {
			return a.Client
		}
	}
	return p.Accounts[0].Client
}

// An Account is a signed-in LCS user for one project's endpoint.
type Account struct {
	Name   string
	Client LCS
	// Credential is what Client signs in with; nil when nothing is known of it.
	Credential Credential
}

// A Credential is how an account signs in, apart from the tokens that its client
// asks for.
type Credential interface {
	Mode() string
	// Revision changes whenever that with which the account signs in does.
	Revision(ctx context.Context) (string, error)
	// Login returns the stored login; ok is false when the account has none.
	Login(ctx context.Context) (login auth.Login, ok bool, err error)
	// Renew refreshes the stored login.
	Renew(ctx context.Context) error
	// Retry lets the account sign in at once, though an earlier failure holds it.
	Retry(ctx context.Context) error
}

var _ Credential = (*auth.Credential)(nil)

// Defaults are the limits from the file's defaults section.
type Defaults struct {
	CatchUp       time.Duration // how late a fire may still be run
	Deadline      time.Duration // how long a run is retried
	VerifyTimeout time.Duration // how long an accepted call may take to be carried out
	Order         string        // "cost" or "file"
	// MaxStops is how many environments may be stopped at once without an
	// approval; 0 for no bound.
	MaxStops int
}
