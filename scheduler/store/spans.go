package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
)

// holds is how long an observation stands for the time after it, in microseconds.
var holds = strconv.FormatInt(scheduler.ObservationHolds.Microseconds(), 10)

// spanFrom and spanEnd are those of the span that an observation is in. One that an
// older version wrote has no since.
const spanFrom = `CASE WHEN o.since > 0 THEN o.since ELSE o.at END`

// endSpans keeps, of the observations that new ones are about to replace, the spans that
// end with them: since the condition is another one, or the last observation is too old
// to stand for the time between. Between two changes an environment costs no row.
func endSpans(ctx context.Context, q session, seen []scheduler.Observation) error {
	cells := make([]any, 0, len(seen)*4)
	for _, o := range seen {
		cells = append(cells, o.Project, o.ID, micros(o.At), string(o.Condition))
	}
	v, args := q.values(4, cells)
	_, err := q.exec(ctx, `WITH v (project, id, at, condition) AS (`+v+`)
		INSERT INTO spans (id, project, from_at, until_at, condition)
		SELECT o.id, o.project, `+spanFrom+`, CASE WHEN v.at < o.at + `+holds+` THEN v.at ELSE o.at + `+holds+` END, o.condition
		FROM v JOIN observations o ON o.project = v.project AND o.id = v.id
		WHERE v.at > o.at AND (v.condition <> o.condition OR v.at > o.at + `+holds+`)
		ON CONFLICT (id, project, from_at) DO NOTHING`, args...)
	return err
}

// Spans returns what was observed from from to now, cut to that range, of the
// environments with these normalised ids, sorted by id, project and From.
func (s *Observations) Spans(ctx context.Context, from, now time.Time, ids ...string) ([]scheduler.Span, error) {
	begin, end := micros(from), micros(now)
	condition, arg := in(s.read(), ids)
	query := `SELECT id, project, from_at, until_at, condition FROM spans WHERE id` + condition + ` AND until_at > ? AND from_at < ?
		UNION ALL SELECT id, project, ` + spanFrom + `, o.at + ` + holds + `, condition FROM observations o WHERE id` + condition + ` AND o.at + ` + holds + ` > ? AND ` + spanFrom + ` < ?
		ORDER BY 1, 2, 3`
	var list []scheduler.Span
	rows, err := s.read().query(ctx, query, arg, begin, end, arg, begin, end)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var span scheduler.Span
		var spanBegin, spanEnd int64
		var condition string
		err := rows.Scan(&span.ID, &span.Project, &spanBegin, &spanEnd, &condition)
		span.From, span.Until, span.Condition = instant(max(spanBegin, begin)), instant(min(spanEnd, end)), lcs.Condition(condition)
		list = append(list, span)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was observed: %w", err)
	}
	return list, nil
}

// Backfill keeps spans that no observation of this database showed.
func (s *Observations) Backfill(ctx context.Context, spans []scheduler.Span) error {
	err := s.tx(ctx, func(q session) error {
		return sizes(q, spans, func(part []scheduler.Span) error {
			cells := make([]any, 0, len(part)*5)
			for _, one := range part {
				cells = append(cells, one.ID, one.Project, micros(one.From), micros(one.Until), string(one.Condition))
			}
			v, args := q.values(5, cells)
			_, err := q.exec(ctx, `INSERT INTO spans (id, project, from_at, until_at, condition) `+v, args...)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("write %d spans: %w", len(spans), err)
	}
	return nil
}
