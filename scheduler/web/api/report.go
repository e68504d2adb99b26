package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// Reports are what the API shows of past and coming time.
type Reports interface {
	// Timeline calls each with the row of each environment named, of all when none is.
	Timeline(ctx context.Context, from, to time.Time, names []string, each func(report.Row) error) error
	// Savings calls each with the sums of each environment since an instant.
	Savings(ctx context.Context, since time.Time, each func(report.Environment, report.Sums) error) error
	// Place returns the zone of the schedule file and the name of its currency.
	Place() (zone *time.Location, currency string)
	// Audit returns the changes that people made since an instant, newest first: at most
	// limit, and before the one with the id before, "" for the newest.
	Audit(ctx context.Context, since time.Time, before string, limit int) ([]scheduler.Event, error)
}

const (
	longestTimeline  = 62 * 24 * time.Hour
	timelineAbsent   = 7 * 24 * time.Hour
	savingsAbsent    = 30 * 24 * time.Hour
	longestOfSavings = 10 * 366 * 24 * time.Hour
)

// A Timeline is what is wanted and was observed, past and plan on one axis.
type Timeline struct {
	From         time.Time     `json:"from"`
	To           time.Time     `json:"to"`
	Zone         string        `json:"zone"`
	Environments []TimelineRow `json:"environments"`
}

// A TimelineRow is one environment of a timeline.
type TimelineRow struct {
	Name     string    `json:"name"`
	Wanted   []Stretch `json:"wanted"`
	Observed []Stretch `json:"observed"`
	Runs     []string  `json:"runs"`
	Marks    []Mark    `json:"marks"`
}

// A Stretch is a time in one state. Because is absent of what was observed.
type Stretch struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	State   string    `json:"state"`
	Because string    `json:"because,omitempty"`
}

// A Mark is a holiday or a change of the clocks.
type Mark struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// timeline writes its answer row by row: memory does not grow with the environments, and
// the work ends when nobody takes the rows any more.
func (a *API) timeline(w http.ResponseWriter, r *http.Request) {
	out, err := a.emptyTimeline(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	rows := &rowWriter{w: bufio.NewWriter(w), head: out}
	w.Header().Set("Content-Type", "application/json")
	zone := out.From.Location()
	err = a.opts.Reports.Timeline(r.Context(), out.From, out.To, nil, func(row report.Row) error {
		if err := r.Context().Err(); err != nil {
			return err
		}
		return rows.write(timelineRow(row, zone))
	})
	switch {
	case err == nil:
		err = rows.end()
	case !rows.begun:
		a.fail(w, r, err)
		return
	}
	if err != nil {
		if r.Context().Err() == nil {
			a.log.Warn("timeline cut off", zap.Error(err))
		}
		panic(http.ErrAbortHandler) // the client is to see that it is not whole
	}
}

// emptyTimeline returns the timeline that a request asks for, without its rows.
func (a *API) emptyTimeline(r *http.Request) (Timeline, error) {
	q, err := query(r, "from", "to")
	if err != nil {
		return Timeline{}, err
	}
	zone, _ := a.opts.Reports.Place()
	today := plan.DateOf(time.Now().In(zone)).In(zone)
	from, err := instant(q, "from", today)
	if err != nil {
		return Timeline{}, err
	}
	to, err := instant(q, "to", from.Add(timelineAbsent))
	if err != nil {
		return Timeline{}, err
	}
	if !from.Before(to) || to.Sub(from) > longestTimeline {
		return Timeline{}, &badParameter{"to", "an instant after from, 62 days later at most"}
	}
	return Timeline{From: from.In(zone), To: to.In(zone), Zone: zone.String(), Environments: []TimelineRow{}}, nil
}

// A rowWriter writes a timeline as its rows come.
type rowWriter struct {
	w     *bufio.Writer
	head  Timeline
	begun bool
}

const rowsEnd = "]}"

// begin writes all that comes before the rows.
func (o *rowWriter) begin() error {
	o.begun = true
	head, err := json.Marshal(o.head)
	if err != nil {
		return err
	}
	_, err = o.w.Write(bytes.TrimSuffix(head, []byte(rowsEnd)))
	return err
}

func (o *rowWriter) write(row TimelineRow) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if o.begun {
		err = o.w.WriteByte(',')
	} else {
		err = o.begin()
	}
	if err != nil {
		return err
	}
	_, err = o.w.Write(text)
	return err
}

func (o *rowWriter) end() error {
	if !o.begun {
		if err := o.begin(); err != nil {
			return err
		}
	}
	if _, err := o.w.WriteString(rowsEnd + "\n"); err != nil {
		return err
	}
	return o.w.Flush()
}

func timelineRow(row report.Row, zone *time.Location) TimelineRow {
	out := TimelineRow{
		Name: row.Environment.Name, Wanted: make([]Stretch, len(row.Wanted)), Observed: make([]Stretch, len(row.Observed)), Runs: row.Runs, Marks: make([]Mark, len(row.Marks)),
	}
	if out.Runs == nil {
		out.Runs = []string{}
	}
	for i, w := range row.Wanted {
		out.Wanted[i] = Stretch{w.From, w.To, string(w.Wanted), w.Because}
	}
	for i, o := range row.Observed {
		out.Observed[i] = Stretch{o.From.In(zone), o.Until.In(zone), string(o.Condition), ""}
	}
	for i, m := range row.Marks {
		out.Marks[i] = Mark{m.At, m.Text}
	}
	return out
}

// Savings are what was saved against environments that are always on. Money is in the
// currency of the schedule file.
type Savings struct {
	Currency string    `json:"currency"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Sums
	Environments []EnvironmentSavings `json:"environments"`
}

// Sums are the figures of savings.
type Sums struct {
	HoursOff      float64 `json:"hours_off"`
	Saved         float64 `json:"saved"`
	LostFailed    float64 `json:"lost_failed"`
	LostOverrides float64 `json:"lost_overrides"`
}

// EnvironmentSavings are those of one environment.
type EnvironmentSavings struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
	Sums
}

func (a *API) savings(r *http.Request) (any, error) {
	q, err := query(r, "since")
	if err != nil {
		return nil, err
	}
	zone, currency := a.opts.Reports.Place()
	now := time.Now().Truncate(time.Microsecond)
	since, err := instant(q, "since", now.Add(-savingsAbsent))
	if err != nil {
		return nil, err
	}
	if since.After(now) || now.Sub(since) > longestOfSavings {
		return nil, &badParameter{"since", "an instant of the last ten years"}
	}
	out := Savings{Currency: currency, Since: since.In(zone), Until: now.In(zone), Environments: []EnvironmentSavings{}}
	var total report.Sums
	err = a.opts.Reports.Savings(r.Context(), since, func(e report.Environment, sums report.Sums) error {
		total.Add(sums)
		row := EnvironmentSavings{Name: e.Name, Tags: e.Tags, Sums: Sums(sums)}
		if row.Tags == nil {
			row.Tags = []string{}
		}
		out.Environments = append(out.Environments, row)
		return r.Context().Err()
	})
	out.Sums = Sums(total)
	return out, err
}
