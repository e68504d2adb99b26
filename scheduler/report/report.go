// Package report computes what pages and commands show of the past and of what is
// coming: the timeline and the savings. It only reads, a few environments at a time, so
// that memory does not grow with their number.
package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// environmentsAtOnce bounds of how many environments the past is in memory.
const environmentsAtOnce = 50

// A Past is what is kept of what happened.
type Past interface {
	// Spans returns what was observed from from to now, of the environments with these
	// normalised ids, sorted by id, project and From.
	Spans(ctx context.Context, from, now time.Time, ids ...string) ([]scheduler.Span, error)
	// RunIDs returns the ids of the runs of each environment whose fire is from from
	// (inclusive) to to (exclusive), oldest first.
	RunIDs(ctx context.Context, environments []string, from, to time.Time) (map[string][]string, error)
}

// A Subject is what a report is about.
type Subject struct {
	Plan         *plan.Plan // with the overrides of the range
	Schedules    *plan.Plan // without any override
	Location     *time.Location
	Environments []Environment // in the order in which they are reported
	Past         Past
	// Kept is since when what was observed is kept; before it the sums of months count.
	Kept   time.Time
	Summed Summed
}

// An Environment is one of the schedule file, with the id of its project in LCS.
type Environment struct {
	scheduler.Environment
	ProjectID int64
}

// A part is some environments of a subject, and what was observed of them.
type part struct {
	environments []Environment
	spans        map[string][]scheduler.Span // by name
}

// parts reads what was observed of a few environments at a time.
func (s *Subject) parts(ctx context.Context, from, now time.Time, each func(part) error) error {
	for some := range slices.Chunk(s.Environments, environmentsAtOnce) {
		p := part{environments: some, spans: make(map[string][]scheduler.Span, len(some))}
		ids, names := make([]string, len(some)), make(map[spanKey]string, len(some))
		for i, e := range some {
			ids[i] = lcs.NormalizeID(e.ID)
			names[spanKey{e.ProjectID, ids[i]}] = e.Name
		}
		spans, err := s.Past.Spans(ctx, from, now, ids...)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		for _, span := range spans {
			if name, ok := names[spanKey{span.Project, span.ID}]; ok {
				p.spans[name] = append(p.spans[name], span)
			}
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

type spanKey struct {
	project int64
	id      string
}
