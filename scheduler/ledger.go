package scheduler

import (
	"strconv"
	"time"

	"curfew/lcs"
)

// An Outcome is how one LCS call ended.
type Outcome string

// The outcomes of a call. Pending is a call in flight, or one that a crash cut off.
const (
	OutcomePending      Outcome = "pending"
	OutcomeAccepted     Outcome = "accepted"
	OutcomeRefused      Outcome = "refused"
	OutcomeThrottled    Outcome = "throttled"
	OutcomeUnauthorized Outcome = "unauthorized"
	OutcomeRejected     Outcome = "rejected"  // 403, 404 and other final answers
	OutcomeAmbiguous    Outcome = "ambiguous" // it may or may not have been carried out
	OutcomeUnsent       Outcome = "unsent"    // it never left
)

// Outcomes lists how a call can end.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeAccepted, OutcomeRefused, OutcomeThrottled, OutcomeUnauthorized, OutcomeRejected, OutcomeAmbiguous, OutcomeUnsent,
	}
}

// A CallKind is a kind of LCS call with a limit of its own.
type CallKind = lcs.CallKind

// A Call is one row of the call ledger, which is the quota and the audit trail.
type Call struct {
	ID          string
	Kind        CallKind
	Account     string
	Project     int64
	Environment string // normalised id; "" for metadata pages
	Run         string // "" for metadata
	At          time.Time
	Done        time.Time // zero while in flight
	Outcome     Outcome
	Message     string
	ActivityID  string
	Unseen      bool // see Attempt
}

// A Contender is a project whose runs ask for calls, with the accounts that work for it.
type Contender struct {
	Name     string
	ID       int64
	Accounts []string
}

// A Reservation asks for the start or stop calls that a pass can make now.
type Reservation struct {
	Ticket  Ticket
	Now     time.Time
	Kind    CallKind
	Project Contender
	// Contenders are the projects, this one among them, whose accounts are the same
	// or are shared with one of the others: a better-ranked run of theirs that waits
	// for the same kind of call goes first.
	Contenders []Contender
	Requests   []Request // best rank first
}

// A Request is a run that asks for its call.
type Request struct {
	Run         Run
	Environment string // normalised id
	Unseen      bool   // see Attempt
	// Ready is false for a run that cannot call yet, since its observation is still
	// to be read: it keeps its place in the order.
	Ready bool
}

// Reserved is the answer to a Reservation: calls to make at once, and waits for the
// requests that have none, by run.
type Reserved struct {
	Calls []ReservedCall
	Waits map[string]Wait
}

// A ReservedCall is a pending call with its run as it was written.
type ReservedCall struct {
	Call Call
	Run  Run
}

// A Wait says until when something waits, and why.
type Wait struct {
	Until  time.Time
	Reason WaitReason
	Detail string
	// QuotaOnly reports that nothing is wrong: LCS's limits alone make it wait.
	QuotaOnly bool
}

// A Settlement is how a call ended, with its run as it is to be written; Run is nil
// when the run is not to change.
type Settlement struct {
	Call Call
	Run  *Run
}

// A Hold forbids the calls of a scope until an instant.
type Hold struct {
	Scope  string
	Until  time.Time
	Reason string
}

// AccountHold is the scope of everything an account does: it cannot sign in.
func AccountHold(account string) string { return "account/" + account }

// MemberHold is the scope of what an account does in one project, where LCS does
// not accept it: it may be a member of others.
func MemberHold(account string, project int64) string {
	return MemberPrefix(account) + strconv.FormatInt(project, 10)
}

// MemberPrefix starts the scope of each MemberHold of an account.
func MemberPrefix(account string) string { return AccountHold(account) + "/project/" }

// VerbHold is the scope of one verb of an account: LCS throttled it.
func VerbHold(account string, kind CallKind) string {
	return "account/" + account + "/" + string(kind)
}

// EnvironmentHold is the scope of one verb of an environment.
func EnvironmentHold(environment string, kind CallKind) string {
	return "environment/" + environment + "/" + string(kind)
}

// SilentMark is the scope of a hold that forbids nothing: it remembers that the LCS of a
// project does not answer, and that this was reported.
func SilentMark(project int64) string { return "project/" + strconv.FormatInt(project, 10) + "/silent" }

// MetadataHold is the scope of a project's metadata: LCS throttled it.
func MetadataHold(project int64) string { return "metadata/" + strconv.FormatInt(project, 10) }
