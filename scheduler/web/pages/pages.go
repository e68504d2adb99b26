// Package pages are what a browser shows: what should run and does, tonight and in the
// week, the runs, the savings and the daemon's health. Each works without JavaScript.
package pages

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/answer"
	"curfew/scheduler/web/ratelimit"
)

// An Engine is what the pages show.
type Engine interface {
	Statuses(ctx context.Context) ([]scheduler.EnvironmentStatus, error)
	Overrides(ctx context.Context) ([]scheduler.OverrideStatus, error)
	Runs(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error)
	FindRun(ctx context.Context, id string) (scheduler.Run, error)
	Accounts(ctx context.Context) ([]scheduler.AccountStatus, error)
	Ready(ctx context.Context) error
	// LastCall returns when the last of the calls would go, within LCS's limits, that start
	// or stop environments now.
	LastCall(ctx context.Context, action plan.Action, environments ...string) (time.Time, error)
}

// Reports are what the pages show of past and coming time.
type Reports interface {
	// Timeline calls each with the row of each environment named, of all when none is.
	Timeline(ctx context.Context, from, to time.Time, names []string, each func(report.Row) error) error
	// Savings calls each with the sums of each environment since an instant.
	Savings(ctx context.Context, since time.Time, each func(report.Environment, report.Sums) error) error
	// Months returns the savings of each month since the one of an instant, oldest first.
	Months(ctx context.Context, since time.Time) ([]scheduler.MonthSums, error)
	// LastFailed returns the runs of environments whose last run since an instant failed or
	// was missed.
	LastFailed(ctx context.Context, since time.Time) ([]scheduler.Run, error)
	// Usual returns how long starts and stops of environments usually take.
	Usual(ctx context.Context, environments []string) (map[string]map[plan.Action]time.Duration, error)
	// Explain returns what is wanted of an environment at an instant, step by step.
	Explain(ctx context.Context, environment string, at time.Time) (plan.Decision, error)
	// Plans returns the plan of the schedule file, and the one with the overrides.
	Plans(ctx context.Context) (file, coming *plan.Plan, err error)
	// Place returns the zone of the schedule file and the name of its currency.
	Place() (zone *time.Location, currency string)
}

// A Preview is what a schedule file that somebody pastes would do. Nothing is saved.
type Preview struct {
	Problems []Problem
	Changes  []Change // empty when there are problems
	Fires    int      // that the file has in the coming Days
	Days     int
	Most     int // fires that are compared, when the file has more; else 0
}

// A Problem is an error or a warning at a place of the file.
type Problem struct {
	Line, Column int
	Warning      bool
	Message      string
}

// A Change is what is different for one environment, in a week.
type Change struct {
	Environment  string
	Gained, Lost int     // fires
	Hours        float64 // that it runs longer
	Money        float64
	Notes        []string // what else differs, in words
}

// Options are what the pages are made of.
type Options struct {
	Engine  Engine
	Reports Reports
	// Preview checks a pasted file. Nil: there is no such page.
	Preview func(ctx context.Context, text string) (Preview, error)
	// Links are those of notices. Nil: there are none.
	Links Links
	// Receivers returns how deliveries to the receivers of notices go, for a banner about
	// those that fail. Nil: there are none.
	Receivers func(ctx context.Context) ([]scheduler.ReceiverStatus, error)
	// Upkeep returns what the daemon shows of its own work. Nil: nothing.
	Upkeep func(ctx context.Context) (scheduler.Upkeep, error)
	// File returns what the schedule file is. Nil: there is none.
	File    func() scheduler.FileStatus
	Changes Changes
	// Keys are those of calendars. Nil: there are none.
	Keys Keys
	// CanSignIn reports whether the active schedule file says who may sign in. Nil: no.
	CanSignIn func() bool
	// Why returns the entries of the schedule file by which somebody has their role.
	Why func(access.Identity) []string
	// PublicURL is the address that people use, "" when it is not known.
	PublicURL string
	Logger    *zap.Logger
	Version   string
	Demo      bool
	// Standby says which process is active while this one stands by, in words. Nil: this one
	// is active.
	Standby func() string
	// Events is the address that sends what changes. "": pages stay as they were loaded.
	Events string
	Now    func() time.Time // time.Now when nil
}

// Pages answer the requests of browsers.
type Pages struct {
	opts     Options
	log      *zap.Logger
	requests requests
	all      map[string]*template.Template // by page
	assets   map[string]asset              // by path
	links    map[string]string             // by name: the path, which names the content
	// wrongKeys are the wrong calendar keys of each address.
	wrongKeys *ratelimit.Limiter
}

type asset struct {
	content []byte
	kind    string
}

//go:embed templates static/*.css static/*.js static/*.svg
var files embed.FS

// New makes the pages.
func New(o Options) (*Pages, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pages{opts: o, requests: requests{changes: o.Changes, engine: o.Engine, now: o.Now}, log: o.Logger.Named("pages"), all: map[string]*template.Template{}, assets: map[string]asset{}, links: map[string]string{}}
	p.wrongKeys = ratelimit.New(wrongKeysEvery, wrongKeysAtOnce)
	if err := p.readAssets(); err != nil {
		return nil, fmt.Errorf("prepare the pages: %w", err)
	}
	for _, name := range []string{"tonight", "environment", "runs", "run", "savings", "health", "plan", "problem", "selected", "me", "link"} {
		t, err := template.New("layout.html").Funcs(template.FuncMap{"asset": func(name string) string { return p.links[name] }}).
			ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("prepare the pages: %w", err)
		}
		p.all[name] = t
	}
	return p, nil
}

// readAssets reads the style sheets and scripts. Their addresses change with their
// content, so that a browser may keep them for good.
func (p *Pages) readAssets() error {
	kinds := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	return fs.WalkDir(files, "static", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name, kind, _ := strings.Cut(entry.Name(), ".")
		address := "/static/" + name + "-" + hex.EncodeToString(sum[:6]) + "." + kind
		p.assets[address] = asset{content, kinds[kind]}
		p.links[entry.Name()] = address
		return nil
	})
}

// live reports whether a page follows what changes.
func live(page string) bool {
	return page == "tonight" || page == "environment" || page == "runs" || page == "run"
}

// Routes returns the pages by their patterns.
func (p *Pages) Routes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"GET /{$}":                 p.show("tonight", "Tonight and the week", p.tonight),
		"GET /environments/{name}": p.show("environment", "", p.environment),
		"GET /runs":                p.show("runs", "Runs", p.runs),
		"GET /runs/{id}":           p.show("run", "Run", p.run),
		"GET /savings":             p.show("savings", "Savings", p.savings),
		"GET /savings.csv":         p.savingsCSV,
		"GET /health":              p.show("health", "Health", p.health),
		"GET /me":                  p.show("me", "You", p.me),
		"GET /selected":            p.show("selected", "", p.selected),

		"POST /selected":                    p.changed("selected", p.ofSelected, p.selected),
		"POST /environments/{name}/release": p.changed("environment", p.release, p.environment),
		"POST /runs/{id}/cancel":            p.changed("run", p.cancel, p.run),
		"POST /runs/{id}/approve":           p.changed("run", p.approve, p.run),
	}
	for _, do := range []string{doStart, doStop, doKeep, doSkip} {
		routes["POST /environments/{name}/"+do] = p.changed("environment", p.ofEnvironment(do), p.environment)
	}
	if p.opts.Keys != nil {
		routes["POST /me/keys"] = p.makeKey
		routes["POST /me/keys/{id}/revoke"] = p.changed("me", p.revokeKey, p.me)
	}
	if p.opts.Preview != nil {
		routes["GET /plan"] = p.show("plan", "Plan", p.planForm)
		routes["POST /plan"] = p.show("plan", "Plan", p.planResult)
	}
	return routes
}

// Open returns what everybody may have, by their patterns.
func (p *Pages) Open() map[string]http.HandlerFunc {
	open := map[string]http.HandlerFunc{"GET /static/{file}": p.static}
	if p.opts.Keys != nil {
		open["GET /calendar.ics"] = p.calendar
	}
	if p.opts.Links != nil {
		open["GET /link/{token}"], open["POST /link/{token}"] = p.linkForm, p.linkFollowed
	}
	return open
}

// Problem shows a problem: what it is, and what to do next.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, status int, what, next string) {
	c := p.clock()
	p.write(w, r, status, "problem", p.frame(r, c, "problem", what, problem{what, next}))
}

// frame is what is around the body of a page.
func (p *Pages) frame(r *http.Request, c *clock, page, title string, body any) Frame {
	who := access.From(r.Context())
	name := ""
	if who.SignedIn() {
		name = who.Actor.Name
	}
	f := Frame{
		Who: name, CanSignIn: name == "" && p.canSignIn(),
		Title: title, Page: page, Version: p.opts.Version, Zone: c.zone.String(), Demo: p.opts.Demo, Preview: p.opts.Preview != nil, Now: c.moment(c.now.Truncate(time.Minute)), Body: body,
	}
	if p.opts.Standby != nil && who.May(access.Read) == nil { // it names a host
		f.Standby = cmp.Or(p.opts.Standby(), "another process")
	}
	if live(page) {
		f.Events = p.opts.Events
	}
	return f
}

func (p *Pages) static(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}

// A Frame is what every page has around its own part.
type Frame struct {
	Title, Page, Version, Zone string
	Demo                       bool
	Standby                    string // which process is active, "" when this one is
	Preview                    bool   // there is a page to paste a file into
	Events                     string // of a page that follows them
	Now                        Moment
	Failing                    []FailingReceiver // of notices
	Refused                    Moment            // since when the schedule file as it is now has errors
	Who                        string            // who is signed in, "" for nobody
	CanSignIn                  bool              // nobody is, and somebody could
	Done                       string            // what a form has done, in a sentence
	Failed                     string            // why a form has done nothing
	Body                       any
}

// A FailingReceiver takes no notices.
type FailingReceiver struct {
	Name, Message string
	Since         Moment
}

// failing are the receivers that take no notices. A page is shown without them when they
// cannot be read: its own part says what is wrong.
func (p *Pages) failing(ctx context.Context, c *clock) []FailingReceiver {
	if p.opts.Receivers == nil {
		return nil
	}
	all, err := p.opts.Receivers(ctx)
	if err != nil {
		return nil
	}
	var list []FailingReceiver
	for _, r := range all {
		if !r.Failing.IsZero() {
			list = append(list, FailingReceiver{r.Name, r.Message, c.moment(r.Failing)})
		}
	}
	return list
}

// A notFound is a page about something that is not there.
type notFound struct{ what, next string }

func (e *notFound) Error() string { return e.what }

// A badQuery is a filter that cannot be read.
type badQuery struct{ message string }

func (e *badQuery) Error() string { return e.message }

// show makes a handler of a function that returns the page's own part. A page is written
// whole or not at all.
func (p *Pages) show(name, title string, f func(r *http.Request, c *clock) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := p.clock()
		page, title, status := name, title, http.StatusOK // the next request begins with those of the route
		failing := p.failing(r.Context(), c)
		said, r := p.notice(r, c)
		body, err := f(r, c)
		var missing *notFound
		var bad *badQuery
		switch {
		case err == nil:
		case errors.As(err, &missing):
			status, page, title, body = http.StatusNotFound, "problem", missing.what, problem{missing.what, missing.next}
		case errors.As(err, &bad):
			status, page, title, body = http.StatusBadRequest, "problem", "This address cannot be read", problem{"This address cannot be read", bad.message}
		case r.Context().Err() != nil:
			return // nobody waits for it any more
		default:
			p.log.Error("page not shown", zap.String("path", r.URL.Path), zap.Error(err))
			status, page, title, body = http.StatusInternalServerError, "problem", "curfew could not answer", problem{"curfew could not answer", "The daemon's log says why."}
		}
		if t, ok := body.(interface{ title() string }); ok {
			title = t.title()
		}
		frame := p.frame(r, c, page, title, body)
		frame.Done, frame.Failing = said, failing
		if p.opts.File != nil && name != "health" { // which has the errors
			frame.Refused = c.moment(p.opts.File().RefusedAt)
		}
		p.write(w, r, status, page, frame)
	}
}

type problem struct{ What, Next string }

func (p *Pages) write(w http.ResponseWriter, r *http.Request, status int, name string, f Frame) {
	var b bytes.Buffer
	if err := p.all[name].Execute(&b, f); err != nil {
		p.log.Error("page not shown", zap.String("page", name), zap.Error(err))
		http.Error(w, "curfew could not answer; the daemon's log says why", http.StatusInternalServerError)
		return
	}
	answer.Write(w, r, status, "text/html; charset=utf-8", b.Bytes())
}
