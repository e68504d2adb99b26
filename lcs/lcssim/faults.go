package lcssim

import (
	"time"
)

// A FaultKind is one way in which LCS misbehaves.
type FaultKind string

// The faults. The first group changes what becomes of the environment, the
// second what the caller is answered.
const (
	ServicingWindow  FaultKind = "servicing"          // the environment is in servicing while the fault lasts
	StuckTransition  FaultKind = "stuck"              // an accepted operation never ends
	EndsFailed       FaultKind = "ends failed"        // an accepted operation ends where it began, shown as Failed
	AcceptedNoChange FaultKind = "accepted no change" // LCS accepts and does nothing
	OutOfBandStop    FaultKind = "out of band stop"   // stopped in Azure: LCS still says Finished

	Error500HTML      FaultKind = "500 html"
	Error503          FaultKind = "503"
	ResetBeforeAccept FaultKind = "reset before"
	ResetAfterAccept  FaultKind = "reset after" // carried out, but the answer is lost
	Slow              FaultKind = "slow"        // carried out, answered after Delay
	Throttle          FaultKind = "429"         // with RetryAfter as its header, absent when ""
	NearEOL           FaultKind = "version eol"
	Unauthorized      FaultKind = "401"
	UnauthorizedHTML  FaultKind = "401 html"
	Forbidden         FaultKind = "403"
	NotFound          FaultKind = "404"
	NotJSON           FaultKind = "not json" // carried out, 200 with HTML
	Truncated         FaultKind = "truncated"
	HugeBody          FaultKind = "huge"
	Refuse            FaultKind = "refuse" // 200 with IsSuccess false
	EmptyData         FaultKind = "empty data"
	Echo              FaultKind = "echo"        // a gateway answers in place of LCS, with the headers of the request
	BadCertificate    FaultKind = "certificate" // in memory: somebody answers in place of LCS whose certificate nobody knows
)

// A Fault is active for the requests it matches.
type Fault struct {
	Kind        FaultKind
	Environment string    // id; "" for any
	Project     int64     // 0 for any
	Verb        Verb      // Any for each
	User        string    // account that an Entra signed in, "" for any: with Project, somebody who is not its member
	From, Until time.Time // zero: no bound
	Times       int       // how often it strikes, 0 without end
	Delay       time.Duration
	RetryAfter  string
	Message     string

	struck int
}

// Inject activates a fault.
func (s *Sim) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Environment = normalize(f.Environment)
	s.faults = append(s.faults, &f)
}

// ClearFaults ends every fault.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault is the set of faults that strike one request.
type fault map[FaultKind]*Fault

func (f fault) has(k FaultKind) bool { return f[k] != nil }

// strike picks the faults for a request and counts them.
func (s *Sim) strike(r Request, now time.Time) fault {
	set := fault{}
	for _, f := range s.faults {
		if !f.matches(r, now) || f.Kind == ServicingWindow || f.Kind == OutOfBandStop || set.has(f.Kind) {
			continue
		}
		f.struck++
		set[f.Kind] = f
	}
	return set
}

func (f *Fault) matches(r Request, now time.Time) bool {
	return (f.Times == 0 || f.struck < f.Times) &&
		(f.Environment == "" || f.Environment == r.Environment) &&
		(f.Project == 0 || f.Project == r.Project) &&
		(f.Verb == Any || f.Verb == r.Verb) &&
		(f.User == "" || f.User == r.Account) &&
		f.lasts(now)
}

func (f *Fault) lasts(now time.Time) bool {
	return (f.From.IsZero() || !now.Before(f.From)) && (f.Until.IsZero() || now.Before(f.Until))
}

// servicing reports whether a servicing window covers the environment.
func (s *Sim) servicing(env *environment, now time.Time) bool {
	for _, f := range s.faults {
		if f.Kind == ServicingWindow && (f.Environment == "" || f.Environment == normalize(env.ID)) && f.lasts(now) {
			return true
		}
	}
	return false
}
