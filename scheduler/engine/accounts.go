package scheduler

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	mu        sync.Mutex           // guards what follows; written by steps and by housekeeping
	up        map[string]time.Time // by account: since when LCS accepts it
	away      map[string]awaySince // by scope of a hold
	revisions map[string]string    // by scope of a hold: what was signed in with when it began
	told      map[string]time.Time // by account: when it was last said that its login lapses
}

type awaySince struct {
	since   time.Time
	message string
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

// accountUp notes that LCS accepted an account in a project: it can sign in, too.
func (e *Engine) accountUp(name string, id int64) {
	now := time.Now()
	scopes := []string{AccountHold(name), MemberHold(name, id)}
	e.accounts.mu.Lock()
	if e.accounts.up[name].IsZero() {
		e.accounts.up[name] = now
	}
	var away time.Duration
	for _, scope := range scopes {
		if before, was := e.accounts.away[scope]; was {
			delete(e.accounts.away, scope)
			away = max(away, now.Sub(before.since))
		}
	}
	up := e.accounts.isUp(name)
	e.accounts.mu.Unlock()
	e.metrics.accountUp.WithLabelValues(name).Set(up)
	if away > 0 {
		e.log.Info("account is back; its runs go on", zap.String("account", name), zap.Duration("away", away.Round(time.Second)))
	}
}

// isUp is 1 unless the account is away, from one project at least; the lock is held.
func (a *accountsSeen) isUp(name string) float64 {
	for scope := range a.away {
		if scope == AccountHold(name) || strings.HasPrefix(scope, memberPrefix(name)) {
			return 0
		}
	}
	return 1
}

// accountDown notes that an account is away in the scope of a hold, and tells people
// when it was not before.
func (e *Engine) accountDown(name, scope, message, reason string, fields ...zap.Field) {
	e.metrics.accountUp.WithLabelValues(name).Set(0)
	e.accounts.mu.Lock()
	before, again := e.accounts.away[scope]
	if !again {
		before.since = time.Now()
	}
	before.message = reason
	e.accounts.away[scope] = before
	delete(e.accounts.up, name)
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
	if a.oneProject {
		scope, message = MemberHold(c.Account, c.Project), "the account is not accepted for this project; its runs wait"
		a.revision = nil // the project's endpoint is part of it
	}
	e.noteRevision(scope, a.revision)
	e.accountDown(c.Account, scope, message, a.message, zap.Int64("project_id", c.Project), zap.Time("until", until))
	return until, e.store.Hold(ctx, Hold{Scope: scope, Until: until, Reason: a.message})
}

// noteRevision remembers with what an account signed in that is held now; nil when
// that is not known, and the next look says.
func (e *Engine) noteRevision(scope string, revision *string) {
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	if revision == nil {
		delete(e.accounts.revisions, scope)
	} else {
		e.accounts.revisions[scope] = *revision
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
		e.noteRevision(scope, nil)
	}
	if !held || a.Credential == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askCredential)
	defer cancel()
	now, err := a.Credential.Revision(ctx)
	if err != nil {
		return false // there is nothing to sign in with: that mends nothing
	}
	for _, p := range a.projects {
		if scope == MemberHold(a.Name, p.ID) {
			now += " " + p.Endpoint // a region that is mended, say
		}
	}
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	before, known := e.accounts.revisions[scope]
	e.accounts.revisions[scope] = now
	return known && before != now
}

// unlessFreed gives the delay of a run that has just begun to wait for an account:
// a short one when the project has another account, or when this one was freed
// between the question and the answer, for whoever freed it did not see this run.
func (e *Engine) unlessFreed(ctx context.Context, s *situation, until time.Time) (time.Duration, error) {
	holds, err := e.store.Holds(ctx, s.now)
	if err != nil {
		return 0, err
	}
	held := func(name string) bool {
		return slices.ContainsFunc(holds, func(h Hold) bool { return h.Scope == AccountHold(name) || h.Scope == MemberHold(name, s.project.ID) })
	}
	for _, name := range s.project.accountNames() {
		if !held(name) {
			return shortest, nil // this one can do it
		}
	}
	return min(max(until.Sub(s.now), shortest), longestWait), nil
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

// forgetAccounts drops what is shown of accounts that the file does not have any more.
func (e *Engine) forgetAccounts(before, f *inForce) {
	known := map[string]bool{}
	for _, a := range f.accounts() {
		known[a.Name] = true
	}
	e.accounts.mu.Lock()
	defer e.accounts.mu.Unlock()
	for _, a := range before.accounts() {
		if known[a.Name] {
			continue
		}
		delete(e.accounts.up, a.Name)
		delete(e.accounts.told, a.Name)
		for _, scope := range a.scopes() {
			delete(e.accounts.away, scope)
			delete(e.accounts.revisions, scope)
		}
		e.metrics.accountUp.DeleteLabelValues(a.Name)
		e.metrics.lapses.DeleteLabelValues(a.Name)
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
		s := e.accounts.status(a, holds)
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

// status puts together what this process has seen of an account and the holds, which
// may be another replica's. Of several reasons to be away, the widest is given.
func (a *accountsSeen) status(of accountOf, holds []Hold) AccountStatus {
	s := AccountStatus{Name: of.Name, Projects: of.projectNames(), State: AccountUnknown}
	a.mu.Lock()
	defer a.mu.Unlock()
	if since := a.up[of.Name]; !since.IsZero() {
		s.State, s.Since = AccountUp, since
	}
	for _, scope := range slices.Backward(of.scopes()) { // the whole account's is the first
		seen, away := a.away[scope]
		if away {
			s.State, s.Since, s.Message, s.NextTry = AccountAway, seen.since, seen.message, time.Time{}
		}
		for _, h := range holds {
			if h.Scope == scope {
				s.State, s.Since, s.Message, s.NextTry = AccountAway, seen.since, h.Reason, h.Until
			}
		}
	}
	return s
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
