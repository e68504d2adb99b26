package pages

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/report"
	"curfew/scheduler/web/access"
)

// Keys are those of calendars: see access.Keys.
type Keys interface {
	Make(ctx context.Context) (key string, err error)
	List(ctx context.Context) ([]scheduler.CalendarKey, error)
	Revoke(ctx context.Context, id string) error
	Open(ctx context.Context, key, from string) (who access.Identity, ok bool, err error)
}

// calendarDays is how far ahead a calendar goes.
const calendarDays = 14

// Of wrong calendar keys, an address may send some at once and then one now and then.
const (
	wrongKeysAtOnce = 10
	wrongKeysEvery  = 6 * time.Second
)

// calendar is the coming fires and the overrides, for programs that subscribe. It needs no
// sign-in, but a key.
func (p *Pages) calendar(w http.ResponseWriter, r *http.Request) {
	now := p.opts.Now()
	if wait := p.wrongKeys.Wait(r.RemoteAddr, now); wait > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(math.Ceil(wait.Seconds())))
		http.Error(w, "many wrong calendar keys came from this address: try again later", http.StatusTooManyRequests)
		return
	}
	who, ok, err := p.opts.Keys.Open(r.Context(), r.URL.Query().Get("key"), r.RemoteAddr)
	switch {
	case err != nil:
		p.log.Error("calendar not shown", zap.Error(err))
		http.Error(w, "the database does not answer: try again later", http.StatusServiceUnavailable)
		return
	case !ok:
		p.wrongKeys.Take(r.RemoteAddr, now)
		p.log.Warn("a wrong calendar key was sent", zap.String("from", r.RemoteAddr))
		http.Error(w, "this calendar key is wrong or revoked: make one at /me", http.StatusNotFound)
		return
	}
	ctx := access.With(r.Context(), who)
	names, overrides, err := p.calendarOf(ctx, who)
	if err != nil {
		p.log.Error("calendar not shown", zap.Error(err))
		http.Error(w, "curfew could not answer; the daemon's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="curfew.ics"`)
	w.Header().Set("Cache-Control", "private, no-store")
	if err := p.writeCalendar(ctx, w, names, overrides); err != nil && r.Context().Err() == nil {
		p.log.Error("calendar not written to its end", zap.Error(err))
	}
}

// calendarOf returns the environments that somebody may read, and the overrides that have
// not ended.
func (p *Pages) calendarOf(ctx context.Context, who access.Identity) ([]string, []scheduler.OverrideStatus, error) {
	all, err := p.opts.Engine.Statuses(ctx)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, e := range all {
		if who.May(access.Read, e.Name) == nil {
			names = append(names, e.Name)
		}
	}
	overrides, err := p.opts.Engine.Overrides(ctx)
	return names, slices.DeleteFunc(overrides, func(o scheduler.OverrideStatus) bool { return o.State != "active" && o.State != "pending" }), err
}

func (p *Pages) writeCalendar(ctx context.Context, w http.ResponseWriter, names []string, overrides []scheduler.OverrideStatus) error {
	_, coming, err := p.opts.Reports.Plans(ctx)
	if err != nil {
		return err
	}
	now := p.opts.Now()
	out := bufio.NewWriter(w)
	cal := report.NewCalendar(out, "curfew", now)
	for _, o := range overrides {
		own := slices.DeleteFunc(slices.Clone(o.Environments), func(name string) bool { return !slices.Contains(names, name) })
		if len(own) == 0 {
			continue
		}
		if err := cal.Override(o.Override, own); err != nil {
			return err
		}
	}
	if len(names) > 0 { // no names would be all
		for f := range coming.All(now, now.AddDate(0, 0, calendarDays), names...) {
			if err := cal.Fire(f); err != nil {
				return err
			}
		}
	}
	if err := cal.End(); err != nil {
		return err
	}
	return out.Flush()
}
