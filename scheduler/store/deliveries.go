package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Deliveries keeps what is to be sent to receivers, and how that went.
type Deliveries struct{ *database }

// addressedAtOnce bounds of how many events one transaction writes deliveries.
const addressedAtOnce = 500

// Address writes the deliveries of events that have none yet: route says to whom each
// goes. It returns how many events it took; there may be more. An event that is committed
// after a later one is not missed: what counts is whether it was addressed.
func (s *Deliveries) Address(ctx context.Context, now time.Time, route func([]scheduler.Event) []scheduler.Addressed) (int, error) {
	var first string
	found, err := ignoreNoRows(s.read().row(ctx, `SELECT id FROM events WHERE addressed = 0 LIMIT 1`).Scan(&first))
	if err != nil {
		return 0, fmt.Errorf("read the new events: %w", err)
	}
	if !found {
		return 0, nil
	}
	taken := 0
	err = s.tx(ctx, func(q session) error {
		events, err := queryEvents(ctx, q, `SELECT `+eventColumns+` FROM events WHERE addressed = 0 ORDER BY id LIMIT ?`, addressedAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := address(ctx, q, now, route(events)); err != nil {
			return err
		}
		ids := make([]string, len(events))
		for i, e := range events {
			ids[i] = e.ID
		}
		these, all := in(q, ids)
		taken, err = q.exec(ctx, `UPDATE events SET addressed = 1 WHERE id`+these, all)
		return err
	}, lockOutbox)
	if err != nil {
		return 0, fmt.Errorf("write the deliveries of new events: %w", err)
	}
	return taken, nil
}

type topic struct{ receiver, name string }

func address(ctx context.Context, q session, now time.Time, list []scheduler.Addressed) error {
	open := map[topic]string{}
	type member struct{ delivery, event string }
	members := make([]member, 0, len(list))
	for _, a := range list {
		t := topic{a.Receiver, a.Topic}
		id, err := openDelivery(ctx, q, a, now, open[t])
		if err != nil {
			return err
		}
		open[t] = id
		members = append(members, member{id, a.Event})
	}
	return sizes(q, members, func(part []member) error {
		cells := make([]any, 0, 2*len(part))
		for _, m := range part {
			cells = append(cells, m.delivery, m.event)
		}
		v, args := q.values(2, cells)
		_, err := q.exec(ctx, `INSERT INTO delivery_events (delivery, event) `+v, args...)
		return err
	})
}

// openDelivery returns the delivery that an event joins: the one of its topic that was
// never tried, known when it is not "", or a new one.
func openDelivery(ctx context.Context, q session, a scheduler.Addressed, now time.Time, known string) (string, error) {
	before := known
	if known == "" {
		_, err := ignoreNoRows(q.row(ctx, `SELECT id FROM deliveries WHERE receiver = ? AND topic = ? AND done_at = 0 AND tries = 0 LIMIT 1`, a.Receiver, a.Topic).Scan(&before))
		if err != nil {
			return "", err
		}
	}
	wait := a.Wait
	if a.Again != a.Wait {
		var sent int
		again, err := ignoreNoRows(q.row(ctx, `SELECT 1 FROM deliveries WHERE receiver = ? AND topic = ? AND tries > 0 LIMIT 1`, a.Receiver, a.Topic).Scan(&sent))
		if err != nil {
			return "", err
		}
		if again {
			wait = a.Again
		}
	}
	due := micros(now.Add(wait))
	if before != "" {
		_, err := q.exec(ctx, `UPDATE deliveries SET due_at = ? WHERE id = ? AND due_at > ?`, due, before, due)
		return before, err
	}
	id, err := q.clock.NewID()
	if err != nil {
		return "", err
	}
	_, err = q.exec(ctx, insertDelivery, id, a.Receiver, a.Topic, micros(now), due, string(a.Fire.Action), micros(a.Fire.At))
	return id, err
}

const insertDelivery = `INSERT INTO deliveries (id, receiver, topic, at, due_at, action, fire_at, tries, first_at, owner, done_at, message)
	VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', 0, '') ON CONFLICT (id) DO NOTHING`

// AddOnce writes a delivery without events, unless one with its id is there.
func (s *Deliveries) AddOnce(ctx context.Context, d scheduler.Delivery) error {
	_, err := s.read().exec(ctx, insertDelivery, d.ID, d.Receiver, d.Topic, micros(d.At), micros(d.At), "", int64(0))
	if err != nil {
		return fmt.Errorf("write a delivery to %s: %w", d.Receiver, err)
	}
	return nil
}

// Claim takes a delivery to a receiver that is due, for one try, those with the fewest
// tries first; nil when there is none. What a process took that is dead can be taken
// again; Settle must follow.
func (s *Deliveries) Claim(ctx context.Context, receiver string, now time.Time) (*scheduler.Delivery, error) {
	var d *scheduler.Delivery
	free, owners := s.free()
	args := []any{receiver}
	args = append(args, owners...)
	args = append(args, micros(now), micros(now))
	err := s.tx(ctx, func(q session) error {
		var id string
		found, err := ignoreNoRows(q.row(ctx, `SELECT id FROM deliveries WHERE receiver = ? AND done_at = 0 AND `+free+` AND (tries > 0 OR due_at <= ? OR fire_at > 0 AND fire_at <= ?
			AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.fire_at = deliveries.fire_at AND runs.action = deliveries.action AND `+unfinished+`)
			AND NOT EXISTS (SELECT 1 FROM events WHERE addressed = 0)) ORDER BY tries, id LIMIT 1`, args...).Scan(&id))
		if err != nil || !found {
			return err
		}
		_, err = q.exec(ctx, `UPDATE deliveries SET owner = ?, tries = tries + 1, first_at = CASE WHEN first_at = 0 THEN ? ELSE first_at END WHERE id = ?`, s.replica, micros(now), id)
		if err != nil {
			return err
		}
		d, err = readDelivery(ctx, q, id)
		return err
	}, lockOutbox)
	if err != nil {
		return nil, fmt.Errorf("take a delivery to %s: %w", receiver, err)
	}
	return d, nil
}

// free is the condition under which nobody who lives tries a delivery now.
func (s *Deliveries) free() (string, []any) {
	if !s.postgres { // one process at a time has the file
		return `owner <> ?`, []any{s.replica}
	}
	return `(owner = '' OR owner <> ? AND owner NOT IN (` + living + `))`, []any{s.replica, s.lease.Microseconds()}
}

func readDelivery(ctx context.Context, q session, id string) (*scheduler.Delivery, error) {
	d := scheduler.Delivery{ID: id}
	var at, first int64
	found, err := ignoreNoRows(q.row(ctx, `SELECT receiver, topic, at, first_at, tries FROM deliveries WHERE id = ?`, id).Scan(&d.Receiver, &d.Topic, &at, &first, &d.Tries))
	if err != nil || !found {
		return nil, err
	}
	d.At, d.FirstTry = instant(at), instant(first)
	d.Events, err = queryEvents(ctx, q, `SELECT `+eventColumns+` FROM delivery_events JOIN events ON events.id = delivery_events.event WHERE delivery_events.delivery = ? ORDER BY events.id`, id)
	return &d, err
}

// Delivery returns one delivery, nil when it is not kept.
func (s *Deliveries) Delivery(ctx context.Context, id string) (*scheduler.Delivery, error) {
	d, err := readDelivery(ctx, s.read(), id)
	if err != nil {
		return nil, fmt.Errorf("read delivery %s: %w", id, err)
	}
	return d, nil
}

// Settle writes how a try ended, with the reason of a failure. What another process took
// over meanwhile is left to that one.
func (s *Deliveries) Settle(ctx context.Context, id string, result scheduler.DeliveryResult, message string, now time.Time) error {
	done := micros(now)
	if result == scheduler.Retried {
		done = 0
	}
	set, args := `owner = '', done_at = ?`, []any{done}
	if result != scheduler.Dropped { // which says nothing of the receiver: what its last try said stays
		set, args = set+`, message = ?`, append(args, message)
	}
	if _, err := s.read().exec(ctx, `UPDATE deliveries SET `+set+` WHERE id = ? AND owner = ?`, append(args, id, s.replica)...); err != nil {
		return fmt.Errorf("write the result of delivery %s: %w", id, err)
	}
	return nil
}

// Backlogs returns what waits for receivers, of those for whom something does.
func (s *Deliveries) Backlogs(ctx context.Context) ([]scheduler.Backlog, error) {
	var list []scheduler.Backlog
	rows, err := s.read().query(ctx, `SELECT receiver, COUNT(*), COALESCE(MIN(CASE WHEN message <> '' THEN first_at END), 0), MAX(message) FROM deliveries WHERE done_at = 0 GROUP BY receiver`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var b scheduler.Backlog
		var failing int64
		err := rows.Scan(&b.Receiver, &b.Pending, &failing, &b.Message)
		b.Failing = instant(failing)
		list = append(list, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what waits for receivers: %w", err)
	}
	return list, nil
}

// LastFailure returns why the last delivery to a receiver did not arrive before it was
// given up or dropped, and when it was tried first; "" when it arrived, or there was none.
func (s *Deliveries) LastFailure(ctx context.Context, receiver string) (message string, since time.Time, err error) {
	var first int64
	_, err = ignoreNoRows(s.read().row(ctx, `SELECT message, first_at FROM deliveries WHERE receiver = ? AND done_at > 0 ORDER BY done_at DESC LIMIT 1`, receiver).Scan(&message, &first))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read the last delivery to %s: %w", receiver, err)
	}
	if message == "" {
		return "", time.Time{}, nil
	}
	return message, instant(first), nil
}

// Warn writes events about stops to come, of those that there are none about yet.
func (s *Deliveries) Warn(ctx context.Context, events []scheduler.Event) (int, error) {
	var written []scheduler.Event
	err := s.tx(ctx, func(q session) error {
		written = nil
		for _, e := range events {
			n, err := q.exec(ctx, `INSERT INTO warned (environment, stop_at) VALUES (?, ?) ON CONFLICT (environment, stop_at) DO NOTHING`, e.Environment, micros(e.FireAt))
			if err != nil {
				return err
			}
			if n > 0 {
				written = append(written, e)
			}
		}
		return addEvents(ctx, q, written)
	}, lockOutbox)
	if err != nil {
		return 0, fmt.Errorf("write %d warnings: %w", len(events), err)
	}
	return len(written), nil
}
