package lcs

import "strings"

// An Environment is one environment as LCS's metadata describes it, by
// Microsoft's page "Environment metadata", as far as curfew uses it: thousands are
// decoded. Any field may be absent. Dates are in no fixed form and are kept as LCS
// wrote them.
type Environment struct {
	ID                      string
	Name                    string
	Project                 int64
	Infrastructure          string // CustomerManaged, MicrosoftManaged or SelfService
	Type                    string // such as DevTestDev, Sandbox, Production
	DeploymentState         string
	DeploymentStatusDisplay string
	DeployedOnUTC           string
	CanStart                *bool // nil when LCS does not say
	CanStop                 *bool
	// Contradictory reports that LCS listed the environment more than once, in different
	// states: nothing is known of it then.
	Contradictory bool
}

func cleanAll(texts ...*string) {
	for _, t := range texts {
		*t = clean(*t)
	}
}

// A Condition is what an environment's metadata means to somebody who wants to
// start or stop it.
type Condition string

// The conditions. Busy is every transition that is neither of the two of its
// own; Unknown is a state that this version does not know: read it again later.
const (
	Running     Condition = "running"
	Stopped     Condition = "stopped"
	Starting    Condition = "starting"
	Stopping    Condition = "stopping"
	Busy        Condition = "busy"
	Unsupported Condition = "unsupported" // not customer-managed: LCS refuses start and stop
	Unknown     Condition = "unknown"
)

// Conditions lists every condition.
func Conditions() []Condition {
	return []Condition{Running, Stopped, Starting, Stopping, Busy, Unsupported, Unknown}
}

// transitional are the deployment states in which an operation is under way, by
// LCS's own enumeration as carried by Microsoft's public 2LCS client.
var transitional = map[string]Condition{
	"Starting": Starting, "Stopping": Stopping,
	"Active": Busy, "Deleting": Busy, "Deallocating": Busy, "Servicing": Busy, "Recovering": Busy, "Restoring": Busy,
	"Swapping": Busy, "SwapRollingBack": Busy, "RotatingSecrets": Busy, "CommitingSwap": Busy, "ServicingRollback": Busy,
	"DatabaseRestoreRollback": Busy, "RestartingServices": Busy, "Migrating": Busy, "ValidatingDataUpgrade": Busy,
	"ExecutingSQLCommand": Busy, "ExecutingGenevaAction": Busy, "MigratingToSF": Busy, "ScalingOut": Busy,
	"CdsConfiguring": Busy, "CdsDualWriteConfiguring": Busy, "InfrastructureMaintenance": Busy,
	"PreparingForMigration": Busy, "ConfiguringFirewallRules": Busy,
}

// Condition classifies the environment: what LCS says can be done comes first,
// then the state's name. A contradiction is Unknown, never a guess.
func (e Environment) Condition() Condition {
	if e.Contradictory {
		return Unknown
	}
	if e.Infrastructure != "" && !strings.EqualFold(e.Infrastructure, "CustomerManaged") {
		return Unsupported
	}
	if c, ok := transitional[e.DeploymentState]; ok {
		return c
	}
	canStart, canStop := isTrue(e.CanStart), isTrue(e.CanStop)
	switch {
	case canStart && canStop:
		return Unknown
	case canStop:
		return Running
	case canStart:
		return Stopped
	case e.CanStop == nil && e.DeploymentState == "Finished":
		return Running
	case e.DeploymentState == "Stopped":
		return Stopped
	default:
		return Unknown
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// Failed reports whether LCS shows the last operation as failed.
func (e Environment) Failed() bool {
	return !e.Contradictory && strings.EqualFold(e.DeploymentStatusDisplay, "Failed")
}

// NormalizeID returns the form in which two ids of one environment are equal: LCS
// writes them as dashed GUIDs in one place and as 32 digits in another.
func NormalizeID(id string) string {
	return strings.ToLower(strings.ReplaceAll(strings.Trim(strings.TrimSpace(id), "{}"), "-", ""))
}

// A Page is one page of a project's metadata; pages count from 1.
type Page struct {
	Number       int
	More         bool
	Environments []Environment
	Unreadable   int // rows without a readable id
}

// An Operation is what LCS answers to an accepted start or stop. It means that
// the operation was triggered, not that it is done.
type Operation struct {
	ActivityID string
	VersionEOL string // when this API version ends, as LCS wrote it
}

// A HistoryPage is one page of an environment's history, newest first.
type HistoryPage struct {
	Number  int
	More    bool
	Actions []HistoryAction
}

// A HistoryAction is one past or running operation, such as servicing. Whether
// start and stop appear is not documented.
type HistoryAction struct {
	Name        string `json:"Name"`
	Type        string `json:"Type"`
	TypeDisplay string `json:"TypeDisplay"`
	Start       string `json:"StartDateTimeUTC"`
	End         string `json:"EndDateTimeUTC"` // "" while it runs
	Status      string `json:"Status"`
	ActivityID  string `json:"ActivityId"`
}

// clean makes each text of LCS fit to be kept and shown.
func (a *HistoryAction) clean() {
	cleanAll(&a.Name, &a.Type, &a.TypeDisplay, &a.Start, &a.End, &a.Status, &a.ActivityID)
}
