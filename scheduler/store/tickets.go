package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/riverqueue/river"

	"curfew/scheduler"
)

// projectQueue is the queue of River that has the tickets: a version that knows no
// tickets of projects works on another one.
const projectQueue = "projects"

// ticketArgs is a ticket as River keeps it.
type ticketArgs scheduler.Ticket

// Kind names the job in River's table.
func (ticketArgs) Kind() string { return "project" }

// InsertOpts names the queue.
func (ticketArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: projectQueue} }

// tickets issues the tickets of projects: one row of the table projects says which
// ticket of a project is the newest, and which process has its pass.
type tickets struct {
	*database
	river  *river.Client[*sql.Tx]
	issued chan struct{} // there are new tickets
}

const (
	// unlessOwn leaves the pass to this process where it has it.
	unlessOwn = `generation = projects.generation + CASE WHEN projects.owner = ? THEN 0 ELSE 1 END, owner = CASE WHEN projects.owner = ? THEN projects.owner ELSE '' END`
	ofAnybody = `generation = projects.generation + 1, owner = ''`
)

// concern has each project worked on whose runs have changed: a pass of this process
// goes on with its ticket, and any other ends for a new ticket. It returns them
// all, sorted by project. The caller has the journal's lock.
func (t *tickets) concern(ctx context.Context, q session, projects []string) ([]scheduler.Ticket, error) {
	return t.issue(ctx, q, projects, unlessOwn, t.replica, t.replica)
}

// renew has each project worked on by whoever comes first, also where this process has
// its pass.
func (t *tickets) renew(ctx context.Context, q session, projects []string) ([]scheduler.Ticket, error) {
	return t.issue(ctx, q, projects, ofAnybody)
}

func (t *tickets) issue(ctx context.Context, q session, projects []string, set string, args ...any) ([]scheduler.Ticket, error) {
	var list []scheduler.Ticket
	var jobs []river.InsertManyParams
	err := sizes(q, sorted(projects), func(part []string) error {
		cells := make([]any, 0, len(part)*3)
		for _, name := range part {
			cells = append(cells, name, int64(1), "")
		}
		v, fresh := q.values(3, cells)
		rows, err := q.query(ctx, `INSERT INTO projects (name, generation, owner) `+v+` ON CONFLICT (name) DO UPDATE SET `+set+` RETURNING name, generation, owner`,
			append(fresh, args...)...)
		return eachRow(rows, err, func(rows *sql.Rows) error {
			var one scheduler.Ticket
			var owner string
			err := rows.Scan(&one.Project, &one.Generation, &owner)
			list = append(list, one)
			if owner == "" {
				jobs = append(jobs, river.InsertManyParams{Args: ticketArgs(one)})
			}
			return err
		})
	})
	if err == nil && len(jobs) > 0 { // ready at once: River wakes future ones only every five seconds
		_, err = t.river.InsertManyFastTx(ctx, q.tx, jobs)
		select {
		case t.issued <- struct{}{}:
		default:
		}
	}
	if err != nil {
		return nil, fmt.Errorf("issue the tickets of %d projects: %w", len(projects), err)
	}
	slices.SortFunc(list, func(a, b scheduler.Ticket) int { return strings.Compare(a.Project, b.Project) })
	return list, nil
}

// lockProjects waits until no other transaction works with the tickets of the
// projects, which are sorted, and keeps others from it: whoever changes runs of a
// project has its row first, so that no two wait for each other.
func lockProjects(ctx context.Context, q session, projects []string) error {
	if !q.postgres || len(projects) == 0 {
		return nil
	}
	these, names := in(q, projects)
	_, err := q.exec(ctx, `SELECT name FROM projects WHERE name`+these+` ORDER BY name FOR UPDATE`, names)
	return err
}

// holdPass is ErrStale unless the ticket is the newest of its project and this process
// has the pass; it keeps it so until the transaction ends.
func (d *database) holdPass(ctx context.Context, q session, t scheduler.Ticket) error {
	var generation int64
	var owner string
	found, err := ignoreNoRows(q.row(ctx, `SELECT generation, owner FROM projects WHERE name = ?`+q.forUpdate(), t.Project).Scan(&generation, &owner))
	if err == nil && (!found || generation != t.Generation || owner != d.replica) {
		err = scheduler.ErrStale
	}
	return err
}
