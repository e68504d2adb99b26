package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
)

const (
	compareEvery  = 24 * time.Hour
	markedFor     = 2 * compareEvery // so that the next comparison finds the mark, also after a short downtime
	namesInNotice = 20               // the rest is counted
)

// A Difference is how the environments of a project differ between the schedule file and LCS.
type Difference struct {
	NotListed   []string // names of the file that LCS does not list
	NotInFile   []string // LCS's names of customer-managed environments that the file does not have
	Unsupported []string // names of the file that LCS lists and does not start or stop
}

// Compare holds the environments of a project in the file against all that LCS lists of it.
func Compare(file []scheduler.Environment, listed []scheduler.Observation) Difference {
	var d Difference
	byID := make(map[string]scheduler.Observation, len(listed))
	for _, o := range listed {
		byID[o.ID] = o
	}
	inFile := make(map[string]bool, len(file))
	for _, env := range file {
		id := lcs.NormalizeID(env.ID)
		inFile[id] = true
		switch o, ok := byID[id]; {
		case !ok:
			d.NotListed = append(d.NotListed, env.Name)
		case o.Condition == lcs.Unsupported:
			d.Unsupported = append(d.Unsupported, env.Name)
		}
	}
	for id, o := range byID {
		if !inFile[id] && o.Condition != lcs.Unsupported {
			d.NotInFile = append(d.NotInFile, o.Name)
		}
	}
	slices.Sort(d.NotInFile)
	return d
}

// Empty reports whether the file and LCS have the same environments.
func (d Difference) Empty() bool { return len(d.NotListed)+len(d.NotInFile)+len(d.Unsupported) == 0 }

// Reason says what differs, with most names of each kind and the number of the others; all
// of them when most is 0.
func (d Difference) Reason(most int) string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+someOf(names, most))
		}
	}
	add("LCS does not list", d.NotListed)
	add("LCS starts and stops customer-managed environments only, not", d.Unsupported)
	add("the schedule file does not have", d.NotInFile)
	return strings.Join(parts, "; ")
}

// NextStep says what to do about it.
func (d Difference) NextStep() string {
	switch {
	case len(d.NotListed) > 0:
		return "correct their ids, or remove them from the file; curfew environments --yaml prints what LCS lists"
	case len(d.NotInFile) > 0:
		return "curfew environments --yaml prints the entries to paste into the file"
	case len(d.Unsupported) > 0:
		return "remove them from the file"
	}
	return ""
}

func someOf(names []string, most int) string {
	if most == 0 || len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// A MarkStore remembers, over restarts and replicas, what was reported.
type MarkStore interface {
	// Hold writes marks; the events only if the first one was not there before.
	Hold(ctx context.Context, holds []scheduler.Hold, events ...scheduler.Event) error
	Holds(ctx context.Context, now time.Time) ([]scheduler.Hold, error)
	Clear(ctx context.Context, scopes []string, events ...scheduler.Event) error
}

// inventory compares the schedule file with what LCS lists: after the first complete scan
// of a project, when the file changes, and daily. It makes no call of its own. One
// goroutine uses it.
type inventory struct {
	store    MarkStore
	observer *observer
	record   *recorder
	current  *snapshots
	last     map[int64]comparison // by project
}

// A comparison is when a project was last compared, with which file, and what was found.
type comparison struct {
	at     time.Time
	setup  *scheduler.Setup
	reason string
}

// compare compares the projects for which it is time.
func (i *inventory) compare(ctx context.Context, now time.Time) error {
	s := i.current.load()
	for _, p := range s.Projects {
		last := i.last[p.ID]
		if last.setup == s.Setup && now.Sub(last.at) < compareEvery {
			continue
		}
		listed, ok := i.observer.listed(p.ID)
		if !ok {
			continue
		}
		d := Compare(s.of(p), listed)
		if err := i.report(ctx, p, d, now); err != nil {
			return err
		}
		i.last[p.ID] = comparison{now, s.Setup, d.Reason(0)}
	}
	return nil
}

// report logs a difference that is new to this process, and writes an event of one that is
// new to the database. The mark of a difference forbids nothing.
func (i *inventory) report(ctx context.Context, p scheduler.Project, d Difference, now time.Time) error {
	prefix := fmt.Sprintf("inventory/%d/", p.ID)
	mark := prefix + digestOf(d.Reason(0))
	holds, err := i.store.Holds(ctx, time.Time{}) // ended ones too
	if err != nil {
		return err
	}
	var solved []string
	for _, h := range holds {
		if strings.HasPrefix(h.Scope, prefix) && (h.Scope != mark || d.Empty()) {
			solved = append(solved, h.Scope)
		}
	}
	if len(solved) > 0 {
		if err := i.store.Clear(ctx, solved); err != nil {
			return err
		}
	}
	if d.Empty() {
		return nil
	}
	e := newEvent(scheduler.EventWarning, micros(now), scheduler.BySchedule, fmt.Sprintf("project %s: %s", p.Name, d.Reason(namesInNotice)))
	e.NextStep = d.NextStep()
	if i.last[p.ID].reason != d.Reason(0) {
		i.record.log.Warn("the schedule file and LCS differ", event(e.Kind), zap.String("project", p.Name),
			zap.String("message", d.Reason(namesInNotice)), zap.String("next_step", e.NextStep))
	}
	return i.store.Hold(ctx, []scheduler.Hold{{Scope: mark, Until: micros(now.Add(markedFor)), Reason: e.Reason}}, e)
}

func digestOf(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

// of returns the environments of a project, in the order of the file.
func (s *snapshot) of(p scheduler.Project) []scheduler.Environment {
	var list []scheduler.Environment
	for _, env := range s.Environments {
		if env.Project == p.Name {
			list = append(list, env)
		}
	}
	return list
}
