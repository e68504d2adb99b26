package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"curfew/lcs/auth"
	"curfew/scheduler"
	"curfew/scheduler/clock"
)

const (
	renewEvery    = 24 * time.Hour      // a login lapses when it is not used for 90 days
	lapsesSoon    = 14 * 24 * time.Hour // before that there is a warning a day
	lapseWarning  = 24 * time.Hour
	askCredential = 5 * time.Second
	// afterRestart is how much longer, after a restart, an account waits that needs a
	// person: whoever restarts may have corrected it. It is not shorter, so that a daemon
	// that restarts all the time locks no account.
	afterRestart = 5 * time.Minute
	// throttledTwice is how close two throttled environments of one account must be for
	// the account itself to be taken as out of quota.
	throttledTwice = 5 * time.Minute
)

// A HoldStore keeps which calls are forbidden until when.
type HoldStore interface {
	// Hold forbids calls of scopes; an earlier hold of a scope is replaced. The events
	// are written only if the first scope had no hold, active or ended, before.
	Hold(ctx context.Context, holds []scheduler.Hold, events ...scheduler.Event) error
	// Holds returns the holds that last beyond now, sorted by scope.
	Holds(ctx context.Context, now time.Time) ([]scheduler.Hold, error)
	// Clear removes the holds of scopes, active and ended ones; the events are written
	// only if there was one.
	Clear(ctx context.Context, scopes []string, events ...scheduler.Event) error
	// Free ends holds before their time and issues tickets for these projects. Where
	// none of the scopes is held any more it does nothing: replicas that all call it
	// do it once. The events are written only if a hold ended.
	Free(ctx context.Context, now time.Time, scopes, projects []string, events ...scheduler.Event) ([]scheduler.Ticket, error)
	// Shorten lets the holds of these scopes end at an instant that would end later.
	Shorten(ctx context.Context, latest time.Time, scopes []string) error
}

// accounts knows which accounts work: what LCS or Entra refused is held back.
type accounts struct {
	store   HoldStore
	record  *recorder
	current *snapshots
	clock   *clock.Clock

	mu        sync.Mutex           // guards what follows; written by passes and by housekeeping
	up        map[string]time.Time // by account: since when LCS accepts it
	down      map[string]downSince // by scope of a hold
	revisions map[string]string    // by scope of a hold: what was signed in with when it started
}

type downSince struct {
	since   time.Time
	message string
}

func newAccounts(s HoldStore, r *recorder, current *snapshots, c *clock.Clock) *accounts {
	return &accounts{
		store: s, record: r, current: current, clock: c, up: map[string]time.Time{}, down: map[string]downSince{},
		revisions: map[string]string{},
	}
}

// worked notes that LCS accepted an account in a project: it can sign in, too.
func (a *accounts) worked(ctx context.Context, c scheduler.Call) error {
	now := a.clock.Now()
	scopes := []string{scheduler.AccountHold(c.Account), scheduler.MemberHold(c.Account, c.Project)}
	a.mu.Lock()
	first := a.up[c.Account].IsZero()
	if first {
		a.up[c.Account] = now
	}
	var down time.Duration
	for _, scope := range scopes {
		if before, was := a.down[scope]; was {
			delete(a.down, scope)
			down = max(down, 1)
			if !before.since.IsZero() {
				down = max(down, now.Sub(before.since))
			}
		}
	}
	up := a.isUp(c.Account)
	a.mu.Unlock()
	if first || down > 0 {
		a.record.accountUp(c.Account, up, down)
		return a.store.Clear(ctx, scopes, upEvent(c.Account, now))
	}
	return nil
}

// isUp reports whether the account is up in all its projects; the lock is held.
func (a *accounts) isUp(name string) bool {
	for scope := range a.down {
		if scope == scheduler.AccountHold(name) || strings.HasPrefix(scope, scheduler.MemberPrefix(name)) {
			return false
		}
	}
	return true
}

// failed holds an account back that cannot sign in, or that a project does not accept,
// and returns until when: the credential knows, or else it is after a wait.
func (a *accounts) failed(ctx context.Context, c scheduler.Call, ans answer, after time.Duration) (until time.Time, err error) {
	if until = ans.retryAt; !until.After(c.Done) {
		until = c.Done.Add(after)
	}
	scope, message := scheduler.AccountHold(c.Account), "account cannot sign in; its runs wait"
	if ans.oneProject {
		scope, message = scheduler.MemberHold(c.Account, c.Project), "the account is not accepted for this project; its runs wait"
		ans.revision = nil // the project's endpoint is part of it
	}
	a.noteRevision(scope, ans.revision)
	a.mu.Lock()
	before, again := a.down[scope]
	if !again {
		before.since = c.Done
	}
	before.message = ans.message
	a.down[scope] = before
	a.mu.Unlock()
	e := downEvent(c, message+": "+ans.message, until)
	a.record.accountDown(e, !again, zap.Int64("project_id", c.Project), zap.Time("until", until))
	return until, a.store.Hold(ctx, []scheduler.Hold{{Scope: scope, Until: until, Reason: ans.message}}, e)
}

// another reports whether a project has an account that may read what LCS forbids the
// account of a call.
func (a *accounts) another(ctx context.Context, p scheduler.Project, c scheduler.Call) bool {
	holds, err := a.store.Holds(ctx, c.Done)
	if err != nil {
		return false
	}
	held := map[string]bool{}
	for _, h := range holds {
		held[h.Scope] = true
	}
	return slices.ContainsFunc(p.AccountNames(), func(name string) bool {
		return name != c.Account && !held[scheduler.AccountHold(name)] && !held[scheduler.MemberHold(name, p.ID)]
	})
}

// A throttling is what follows from a 429.
type throttling struct {
	until time.Time
	asked time.Duration // the wait that LCS asked for, 0 when it did not say
}

// throttledMark is the scope of a hold that forbids nothing: it remembers that LCS
// throttled the account.
func throttledMark(account string, kind scheduler.CallKind) string {
	return "throttled/" + account + "/" + string(kind)
}

// throttled holds the environment of a call that LCS answered with 429, and the account's
// verb where the answer must be about the account: a wait longer than the environment's
// own window, or a second environment throttled shortly after the first.
func (a *accounts) throttled(ctx context.Context, run scheduler.Run, c scheduler.Call, t throttling) error {
	holds, err := a.store.Holds(ctx, c.Done)
	if err != nil {
		return err
	}
	until, mark := t.until, throttledMark(c.Account, c.Kind)
	wide := until.Sub(c.Done) > throttledTwice || slices.ContainsFunc(holds, func(h scheduler.Hold) bool { return h.Scope == mark })
	reason := "LCS answered 429, Too Many Requests: somebody else uses the same account or environment"
	if waits := until.Sub(c.Done); t.asked > waits {
		reason += fmt.Sprintf("; it asks to wait %s, longer than any of its limits lasts: curfew waits %s", t.asked, waits)
	}
	list := []scheduler.Hold{
		{Scope: scheduler.EnvironmentHold(c.Environment, c.Kind), Until: until, Reason: reason},
		{Scope: mark, Until: c.Done.Add(throttledTwice), Reason: reason},
	}
	if wide {
		list = append(list, scheduler.Hold{Scope: scheduler.VerbHold(c.Account, c.Kind), Until: until, Reason: reason})
	}
	return a.store.Hold(ctx, list, throttled(run, c, reason))
}

// noteRevision remembers with what an account signed in that is held back; nil when that
// is not known, and the next check finds out.
func (a *accounts) noteRevision(scope string, revision *string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if revision == nil {
		delete(a.revisions, scope)
	} else {
		a.revisions[scope] = *revision
	}
}

// recheck ends the holds of accounts whose password, token or login has changed since,
// and returns the tickets of their projects: their runs go on at once.
func (a *accounts) recheck(ctx context.Context, now time.Time) ([]scheduler.Ticket, error) {
	holds, err := a.store.Holds(ctx, now)
	if err != nil {
		return nil, err
	}
	held := map[string]bool{}
	for _, h := range holds {
		held[h.Scope] = true
	}
	var tickets []scheduler.Ticket
	for _, use := range a.current.load().accounts() {
		var free []string
		for _, scope := range use.scopes() {
			if a.changedSince(ctx, use, scope, held[scope]) {
				free = append(free, scope)
			}
		}
		if len(free) == 0 {
			continue
		}
		freed, err := a.store.Free(ctx, now, free, use.projectNames())
		if err != nil {
			return tickets, err
		}
		a.record.log.Info("what the account signs in with has changed; it is tried again", zap.String("account", use.Name))
		tickets = append(tickets, freed...)
	}
	return tickets, nil
}

// changedSince reports whether an account signs in with something else than when the
// hold of a scope started.
func (a *accounts) changedSince(ctx context.Context, use accountUse, scope string, held bool) bool {
	if !held {
		a.noteRevision(scope, nil)
	}
	if !held || use.Credential == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askCredential)
	defer cancel()
	now, err := use.Credential.Revision(ctx)
	if err != nil {
		return false // there is nothing to sign in with: that corrects nothing
	}
	for _, p := range use.projects {
		if scope == scheduler.MemberHold(use.Name, p.ID) {
			now += " " + p.Endpoint // a region that was corrected, say
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before, known := a.revisions[scope]
	a.revisions[scope] = now
	return known && before != now
}

// restore learns which accounts an earlier process found down: that they are is not new,
// and that they are up again is.
func (a *accounts) restore(ctx context.Context) error {
	holds, err := a.store.Holds(ctx, time.Time{}) // ended ones too
	if err != nil {
		return err
	}
	reasons := make(map[string]string, len(holds))
	for _, h := range holds {
		reasons[h.Scope] = h.Reason
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, use := range a.current.load().accounts() {
		for _, scope := range use.scopes() {
			if reason, down := reasons[scope]; down {
				a.down[scope] = downSince{message: reason}
			}
		}
	}
	a.show(a.current.load())
	return nil
}

// shortenHolds lets accounts that wait for a person be tried sooner after a restart,
// which may be how a new password came.
func (a *accounts) shortenHolds(ctx context.Context, now time.Time) error {
	var scopes []string
	for _, use := range a.current.load().accounts() {
		scopes = append(scopes, scheduler.AccountHold(use.Name))
	}
	return a.store.Shorten(ctx, now.Add(afterRestart), scopes)
}

// renewLogins keeps stored logins from lapsing, and warns when one will.
func (a *accounts) renewLogins(ctx context.Context, now time.Time) {
	for _, use := range a.current.load().accounts() {
		login, ok := a.loginOf(ctx, use)
		if !ok {
			continue
		}
		log := a.record.log.With(zap.String("account", use.Name))
		if now.Sub(login.RefreshedAt) >= renewEvery {
			err := use.Credential.Renew(ctx)
			switch {
			case err == nil:
				log.Info("login refreshed", zap.Duration("after", now.Sub(login.RefreshedAt).Round(time.Second)))
			case !done(ctx):
				log.Warn("login not refreshed", zap.String("message", err.Error()), zap.Time("lapses", login.LapsesAt()))
			}
			if after, ok := a.loginOf(ctx, use); ok {
				login = after
			}
		}
		a.record.metrics.lapses.WithLabelValues(use.Name).Set(float64(login.LapsesAt().Unix()))
		a.record.metrics.refreshed.WithLabelValues(use.Name).Set(float64(login.RefreshedAt.Unix()))
		if left := login.LapsesAt().Sub(now); left <= lapsesSoon {
			a.lapses(ctx, use.Name, login, left, now)
		}
	}
}

func (a *accounts) loginOf(ctx context.Context, use accountUse) (auth.Login, bool) {
	if use.Credential == nil {
		return auth.Login{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, askCredential)
	defer cancel()
	login, ok, err := use.Credential.Login(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		a.record.log.Warn("login not read", zap.String("account", use.Name), zap.String("message", err.Error()))
	}
	return login, ok && err == nil
}

// lapses warns of a login's end, once a day: the mark of a day forbids nothing, it
// remembers that there was a warning, over restarts and replicas.
func (a *accounts) lapses(ctx context.Context, name string, login auth.Login, left time.Duration, now time.Time) {
	mark := fmt.Sprintf("login/%s/%d", name, (left-1)/lapseWarning)
	holds, err := a.store.Holds(ctx, now)
	if err != nil || slices.ContainsFunc(holds, func(h scheduler.Hold) bool { return h.Scope == mark }) {
		return
	}
	e := a.record.loginLapses(name, login, now)
	if err := a.store.Hold(ctx, []scheduler.Hold{{Scope: mark, Until: now.Add(lapseWarning), Reason: e.Reason}}, e); err != nil && !done(ctx) {
		a.record.log.Error("event not written", event(e.Kind), zap.String("message", e.Reason), zap.Error(err))
	}
}

// forget drops what is shown of accounts that the file does not have any more.
func (a *accounts) forget(before, after *snapshot) {
	known := map[string]bool{}
	for _, use := range after.accounts() {
		known[use.Name] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, use := range before.accounts() {
		if known[use.Name] {
			continue
		}
		delete(a.up, use.Name)
		for _, scope := range use.scopes() {
			delete(a.down, scope)
			delete(a.revisions, scope)
		}
		a.record.metrics.accountUp.DeleteLabelValues(use.Name)
		a.record.metrics.lapses.DeleteLabelValues(use.Name)
		a.record.metrics.refreshed.DeleteLabelValues(use.Name)
		a.record.metrics.quota.DeletePartialMatch(prometheus.Labels{"account": use.Name})
	}
	a.show(after)
}

// show has a metric of each account of a file; the lock is held.
func (a *accounts) show(s *snapshot) {
	for _, use := range s.accounts() {
		a.record.metrics.accountUp.WithLabelValues(use.Name).Set(gauge(a.isUp(use.Name)))
	}
}
