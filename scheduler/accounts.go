package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/lcs/auth"
)

const (
	renewEvery    = 24 * time.Hour      // a login lapses when it is not used for 90 days
	lapsesSoon    = 14 * 24 * time.Hour // before that a person is told, once a day
	tellLapseDay  = 24 * time.Hour
	askCredential = 5 * time.Second
	// afterRestart is how much longer, after a restart, an account waits that needs a
	// person: whoever restarts may have mended it. It is not shorter, so that a daemon
	// that restarts all the time locks no account.
	afterRestart = 5 * time.Minute
)

// A Credential is what the engine needs of how an account signs in, beside the
// tokens that its client asks for.
type Credential interface {
	Mode() string
	// Revision changes whenever that with which the account signs in does.
	Revision(ctx context.Context) (string, error)
	// Login tells of the stored login; ok is false when the account has none.
	Login(ctx context.Context) (login auth.Login, ok bool, err error)
	// Renew refreshes the stored login.
	Renew(ctx context.Context) error
}

var _ Credential = (*auth.Credential)(nil)

// A Notice is something that people want to hear of, in the words of the schedule
// file's notify section.
type Notice struct {
	Event   string // unreachable, warning
	Account string // "" when it is about a run
	Run     *Run   // nil when it is about an account
	Message string
}

// The events of notices.
const (
	EventUnreachable = "unreachable"
	EventWarning     = "warning"
)

// tell logs and passes on what people want to hear of.
func (e *Engine) tell(log *zap.Logger, n Notice, fields ...zap.Field) {
	log.Warn(n.Message, append(fields, zap.String("event", n.Event))...)
	if e.notify != nil {
		e.notify(n)
	}
}

// accountsSeen is what this process knows of its accounts.
type accountsSeen struct {
	mu        sync.Mutex            // guards what follows; written by steps and by housekeeping
	sightings map[string]sightingOf // by account
	revisions map[string]string     // by scope of a hold: what was signed in with when it began
	told      map[string]time.Time  // by account: when it was last said that its login lapses
}

type sightingOf struct {
	up      bool
	since   time.Time
	message string // why it is away
}

// An AccountState is what was last known of an account.
type AccountState string

// The states of an account.
const (
	AccountUnknown AccountState = "unknown" // not used since the daemon started
	AccountUp      AccountState = "up"
	AccountAway    AccountState = "away" // it cannot sign in, or LCS does not accept it; its runs wait
)

// An AccountStatus is what is known of an account of the file.
type AccountStatus struct {
	Name     string
	Mode     string // "" when it is not known
	Projects []string
	State    AccountState
	Since    time.Time // zero when it is not known
	Message  string    // why it is away
	NextTry  time.Time // zero when it may be asked now
	Login    *auth.Login
}

// accountUp notes that LCS accepted an account.
func (e *Engine) accountUp(name string) {
	e.metrics.accountUp.WithLabelValues(name).Set(1)
	now := time.Now()
	e.accounts.mu.Lock()
	before, known := e.accounts.sightings[name]
	if !known || !before.up {
		e.accounts.sightings[name] = sightingOf{up: true, since: now}
	}
	e.accounts.mu.Unlock()
	if known && !before.up {
		e.log.Info("account is back; its runs go on", zap.String("account", name), zap.Duration("away", now.Sub(before.since).Round(time.Second)))
	}
}

// accountDown notes that an account is away, and tells people when it was not.
func (e *Engine) accountDown(name, message, reason string, fields ...zap.Field) {
	e.metrics.accountUp.WithLabelValues(name).Set(0)
	e.accounts.mu.Lock()
	before, known := e.accounts.sightings[name]
	again := known && !before.up
	since := before.since
	if !again {
		since = time.Now()
	}
	e.accounts.sightings[name] = sightingOf{since: since, message: reason}
	e.accounts.mu.Unlock()
	fields = append(fields, zap.String("account", name), zap.String("message", reason))
	if again {
		e.log.Warn(message, fields...)
		return
	}
	e.tell(e.log, Notice{Event: EventUnreachable, Account: name, Message: message}, fields...)
}

// accountAway holds what the account does: everything when it cannot sign in, the
// calls of one project when it is LCS that does not accept it there. It lasts until
// the credential may be asked again, or for wait where the credential does not say.
func (e *Engine) accountAway(ctx context.Context, c Call, a answer, wait time.Duration) (until time.Time, err error) {
	if until = a.retryAt; !until.After(c.Done) {
		until = c.Done.Add(wait)
	}
	scope, message := AccountHold(c.Account), "account cannot sign in; its runs wait"
	if a.outcome == OutcomeUnauthorized {
		scope, message = MemberHold(c.Account, c.Project), "LCS does not accept the account for this project; its runs wait"
	}
	e.noteRevision(scope, a.revision)
	e.accountDown(c.Account, message, a.message, zap.Int64("project_id", c.Project), zap.Time("until", until))
	return until, e.store.Hold(ctx, Hold{Scope: scope, Until: until, Reason: a.message})
}

// noteRevision remembers with what an account signed in that is held now; "" when
// that is not known, and the next look says.
func (e *Engine) noteRevision(scope, revision string) {
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	if revision == "" {
		delete(e.accounts.revisions, scope)
	} else {
		e.accounts.revisions[scope] = revision
	}
}

// freeAccounts ends the holds of accounts whose password, token or login has
// changed since: their runs go on at once.
func (e *Engine) freeAccounts(ctx context.Context, now time.Time) error {
	holds, err := e.store.Holds(ctx, now)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, h := range holds {
		held[h.Scope] = true
	}
	f := e.setup.Load()
	for _, a := range f.accounts() {
		var free []string
		for _, scope := range a.scopes() {
			if e.changedSince(ctx, a, scope, held[scope]) {
				free = append(free, scope)
			}
		}
		if len(free) == 0 {
			continue
		}
		runs, err := e.store.Release(ctx, now, free, a.projectNames())
		if err != nil {
			return err
		}
		e.log.Info("what the account signs in with has changed; it is tried again", zap.String("account", a.Name), zap.Int("runs", runs))
	}
	return nil
}

// changedSince tells whether an account signs in with something else than when the
// hold of a scope began.
func (e *Engine) changedSince(ctx context.Context, a accountOf, scope string, held bool) bool {
	if !held {
		e.noteRevision(scope, "")
	}
	if !held || a.Credential == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askCredential)
	defer cancel()
	now, err := a.Credential.Revision(ctx)
	if err != nil {
		return false
	}
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	before, known := e.accounts.revisions[scope]
	e.accounts.revisions[scope] = now
	return known && before != now
}

// unlessFreed gives the delay of a run that has just begun to wait for an account:
// a short one when the account was freed between the question and the answer, for
// whoever freed it did not see this run.
func (e *Engine) unlessFreed(ctx context.Context, s *situation, until time.Time) (time.Duration, error) {
	holds, err := e.store.Holds(ctx, s.now)
	if err != nil {
		return 0, err
	}
	for _, name := range s.project.accountNames() {
		for _, h := range holds {
			if h.Scope == AccountHold(name) || h.Scope == MemberHold(name, s.project.ID) {
				return min(max(until.Sub(s.now), shortest), longestWait), nil
			}
		}
	}
	return shortest, nil
}

// shortenAccountHolds lets accounts that wait for a person be tried sooner after a
// restart, which may be how a new password came.
func (e *Engine) shortenAccountHolds(ctx context.Context, now time.Time) error {
	var scopes []string
	for _, a := range e.setup.Load().accounts() {
		scopes = append(scopes, AccountHold(a.Name))
	}
	return e.store.ShortenHolds(ctx, now.Add(afterRestart), scopes)
}

// renewLogins keeps stored logins from lapsing, and tells when one will.
func (e *Engine) renewLogins(ctx context.Context, now time.Time) {
	for _, a := range e.setup.Load().accounts() {
		login, ok := e.loginOf(ctx, a)
		if !ok {
			continue
		}
		log := e.log.With(zap.String("account", a.Name))
		if now.Sub(login.RefreshedAt) >= renewEvery {
			err := a.Credential.Renew(ctx)
			switch {
			case err == nil:
				log.Info("login refreshed", zap.Duration("after", now.Sub(login.RefreshedAt).Round(time.Second)))
				e.accountUp(a.Name)
			case !ended(ctx):
				log.Warn("login not refreshed", zap.String("message", err.Error()), zap.Time("lapses", login.LapsesAt()))
			}
			if after, ok := e.loginOf(ctx, a); ok {
				login = after
			}
		}
		e.metrics.lapses.WithLabelValues(a.Name).Set(float64(login.LapsesAt().Unix()))
		e.tellLapse(log, a.Name, login, now)
	}
}

func (e *Engine) loginOf(ctx context.Context, a accountOf) (auth.Login, bool) {
	if a.Credential == nil {
		return auth.Login{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, askCredential)
	defer cancel()
	login, ok, err := a.Credential.Login(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		e.log.Warn("login not read", zap.String("account", a.Name), zap.String("message", err.Error()))
	}
	return login, ok && err == nil
}

// tellLapse warns once a day of a login that ends soon.
func (e *Engine) tellLapse(log *zap.Logger, name string, login auth.Login, now time.Time) {
	if login.LapsesAt().Sub(now) > lapsesSoon {
		return
	}
	e.accounts.mu.Lock()
	due := now.Sub(e.accounts.told[name]) >= tellLapseDay
	if due {
		e.accounts.told[name] = now
	}
	e.accounts.mu.Unlock()
	if due {
		e.tell(log, Notice{Event: EventWarning, Account: name, Message: "the account's login lapses soon; run: curfew login " + name},
			zap.Time("lapses", login.LapsesAt()), zap.Time("refreshed", login.RefreshedAt))
	}
}

// forgetAccounts drops what is shown of accounts that the file does not have.
func (e *Engine) forgetAccounts(f *inForce) {
	known := map[string]bool{}
	for _, p := range f.Projects {
		for _, name := range p.accountNames() {
			known[name] = true
		}
	}
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	for name := range e.accounts.sightings {
		if !known[name] {
			delete(e.accounts.sightings, name)
			e.metrics.accountUp.DeleteLabelValues(name)
			e.metrics.lapses.DeleteLabelValues(name)
		}
	}
}

// Accounts gives what is known of every account that a project uses, in the order
// of the file.
func (e *Engine) Accounts(ctx context.Context) ([]AccountStatus, error) {
	holds, err := e.store.Holds(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	list := []AccountStatus{}
	for _, a := range e.setup.Load().accounts() {
		s := AccountStatus{Name: a.Name, Projects: a.projectNames(), State: AccountUnknown}
		e.accounts.mu.Lock()
		seen, known := e.accounts.sightings[a.Name]
		e.accounts.mu.Unlock()
		if known {
			s.State, s.Since, s.Message = AccountAway, seen.since, seen.message
			if seen.up {
				s.State = AccountUp
			}
		}
		for _, h := range holds { // by this replica or another
			if slices.Contains(a.scopes(), h.Scope) {
				s.State, s.Message, s.NextTry = AccountAway, h.Reason, h.Until
			}
		}
		if a.Credential != nil {
			s.Mode = a.Credential.Mode()
			if login, ok := e.loginOf(ctx, a); ok {
				s.Login = &login
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// An accountOf is an account with the projects that it works for.
type accountOf struct {
	Account
	projects []Project
}

// accounts gives each account once, in the order in which projects name them.
func (f *inForce) accounts() []accountOf {
	var list []accountOf
	at := map[string]int{}
	for _, p := range f.Projects {
		for _, a := range p.Accounts {
			i, ok := at[a.Name]
			if !ok {
				i = len(list)
				at[a.Name] = i
				list = append(list, accountOf{Account: a})
			}
			list[i].projects = append(list[i].projects, p)
		}
	}
	return list
}

// scopes are those of the holds that a new password or login can end.
func (a accountOf) scopes() []string {
	scopes := []string{AccountHold(a.Name)}
	for _, p := range a.projects {
		scopes = append(scopes, MemberHold(a.Name, p.ID))
	}
	return scopes
}

func (a accountOf) projectNames() []string {
	names := make([]string, len(a.projects))
	for i, p := range a.projects {
		names[i] = p.Name
	}
	return names
}
