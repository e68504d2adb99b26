package lcs

import "time"

// A Limit allows Calls calls in any stretch of Window.
type Limit struct {
	Calls  int
	Window time.Duration
}

// The limits of start and stop, from Microsoft's page "Start and stop
// environments", section "Rate limits". Start and stop are counted apart. LCS does
// not say whether its windows slide.
var (
	OperationsPerAccount     = Limit{Calls: 30, Window: 30 * time.Minute}
	OperationsPerEnvironment = Limit{Calls: 1, Window: 5 * time.Minute}
)

// MetadataPerProject is the limit of metadata calls, from Microsoft's page
// "Environment metadata". It counts the calls of all accounts.
var MetadataPerProject = Limit{Calls: 6, Window: time.Minute}

// The limits of history calls, from Microsoft's page "Environment history".
var (
	HistoryPerProject     = Limit{Calls: 6, Window: time.Minute}
	HistoryPerEnvironment = Limit{Calls: 6, Window: 30 * time.Second}
)

// LongestWindow is the longest of the windows above: no limit of LCS can make a call wait
// longer.
const LongestWindow = 30 * time.Minute

// guard is added to every window, for the clocks of LCS and of this machine.
const guard = time.Second

const (
	// PageSize is how many environments a page of metadata holds. Microsoft's page
	// "Environment metadata" has no number; this one is from listings of projects.
	PageSize = 7

	// CallTimeout is how long a call waits for its answer. Microsoft documents no
	// time limit; .NET clients wait 100 s by default.
	CallTimeout = 60 * time.Second
)
