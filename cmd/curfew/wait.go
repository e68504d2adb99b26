package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

const (
	waitInterval = 2 * time.Second // between two reads of a run that is waited for
	unansweredBy = time.Minute     // a daemon that restarts answers again by then
	usualRuns    = 20              // from which the usual duration is learned
)

// A waiting is runs that are waited for. What happens goes to w: one live line on a
// terminal, else a line for each change.
type waiting struct {
	remote *client.Client
	w      io.Writer
	live   bool
	runs   []api.Run
	usual  map[string]time.Duration // by run id; absent when the history has none
	shown  map[string]string        // by run id: the state that was printed last
}

// waitFor waits until each run is at its end. It returns the runs as they are then.
func waitFor(ctx context.Context, e env, remote *client.Client, runs []api.Run) ([]api.Run, error) {
	p := &waiting{remote: remote, w: e.stderr, live: terminal(e.stderr), runs: slices.Clone(runs), usual: map[string]time.Duration{}, shown: map[string]string{}}
	for _, r := range runs {
		if d := p.usually(ctx, r); d > 0 {
			p.usual[r.ID] = d
		}
	}
	lastAnswer := time.Now()
	for {
		p.show(time.Now())
		if p.unfinished() == 0 {
			p.clear()
			return p.runs, p.result()
		}
		select {
		case <-ctx.Done():
			p.clear()
			return p.runs, p.interrupted()
		case <-time.After(waitInterval):
		}
		err := p.read(ctx)
		switch {
		case err == nil:
			lastAnswer = time.Now()
		case ctx.Err() == nil && time.Since(lastAnswer) > unansweredBy:
			p.clear()
			return p.runs, fmt.Errorf("%w; what was asked for goes on once the daemon runs", err)
		}
	}
}

// read reads the runs that are not at their end.
func (p *waiting) read(ctx context.Context) error {
	for i, r := range p.runs {
		if scheduler.State(r.State).Finished() {
			continue
		}
		now, err := p.remote.Run(ctx, r.ID)
		if err != nil {
			return err
		}
		p.runs[i] = now
	}
	return nil
}

// usually returns the median of how long the environment's last runs of the action took,
// from the fire to the end, 0 when there are none.
func (p *waiting) usually(ctx context.Context, r api.Run) time.Duration {
	done, err := p.remote.Runs(ctx, client.RunQuery{Environment: r.Environment, State: string(scheduler.Succeeded), Max: usualRuns})
	if err != nil {
		return 0
	}
	var took []time.Duration
	for _, other := range done {
		if other.Action == r.Action && other.AcceptedAt != nil && other.FinishedAt != nil { // without a call it took no time
			took = append(took, other.FinishedAt.Sub(other.FireAt))
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func (p *waiting) unfinished() int {
	n := 0
	for _, r := range p.runs {
		if !scheduler.State(r.State).Finished() {
			n++
		}
	}
	return n
}

func (p *waiting) show(now time.Time) {
	if p.live {
		if line := p.liveLine(now); line != "" {
			_, _ = fmt.Fprint(p.w, "\r\x1b[K", line)
		}
		return
	}
	for _, r := range p.runs {
		if p.shown[r.ID] == r.State {
			continue
		}
		p.shown[r.ID] = r.State
		_, _ = fmt.Fprintln(p.w, p.describe(r, now))
	}
}

func (p *waiting) clear() {
	if p.live {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// liveLine is the first run that is not at its end, and how many others there are.
func (p *waiting) liveLine(now time.Time) string {
	left := p.unfinished()
	for _, r := range p.runs {
		if scheduler.State(r.State).Finished() {
			continue
		}
		line := p.describe(r, now)
		if left > 1 {
			line += fmt.Sprintf("; %d others", left-1)
		}
		const width = 79 // a longer line would wrap, and could not be replaced
		if text := []rune(line); len(text) > width {
			line = string(text[:width-1]) + "…"
		}
		return line
	}
	return ""
}

// describe is a run in one line: "stop dev-01: verifying for 2m (usually 12m)".
func (p *waiting) describe(r api.Run, now time.Time) string {
	text := fmt.Sprintf("%s %s: %s", r.Action, r.Environment, r.State)
	if scheduler.State(r.State).Finished() {
		if r.FinishedAt != nil {
			text += " after " + shortly(r.FinishedAt.Sub(r.FireAt))
		}
	} else {
		text += " for " + shortly(now.Sub(r.FireAt))
		if usual := p.usual[r.ID]; usual > 0 {
			text += " (usually " + shortly(usual) + ")"
		}
	}
	if r.Message != nil && r.State != string(scheduler.Succeeded) {
		text += ": " + cell(*r.Message)
	}
	return text
}

// shortly is a duration in whole seconds.
func shortly(d time.Duration) string {
	return plan.FormatDuration(max(d, time.Second).Truncate(time.Second))
}

// result is an error unless every run succeeded.
func (p *waiting) result() error {
	failed := 0
	for _, r := range p.runs {
		if r.State != string(scheduler.Succeeded) {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s did not succeed", failed, wording.Count(len(p.runs), "run"))
	}
	return nil
}

// interrupted says what goes on without us, and how to see and end it.
func (p *waiting) interrupted() error {
	var ids []string
	for _, r := range p.runs {
		if !scheduler.State(r.State).Finished() {
			ids = append(ids, r.ID)
		}
	}
	verb, what := "goes", "run"
	if len(ids) > 1 {
		verb, what = "go", "runs"
	}
	return fmt.Errorf("no longer waiting; the %s %s on: curfew history shows it, and curfew cancel %s ends it", what, verb, strings.Join(ids, " "))
}
