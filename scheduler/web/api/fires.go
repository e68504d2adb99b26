package api

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

const (
	defaultSpan = 7 * 24 * time.Hour
	maxSpan     = 400 * 24 * time.Hour
)

// A firesQuery is the range of fires that a request asks for, and where in it a page
// begins.
type firesQuery struct {
	from, to time.Time
	after    string // of the environments that have a fire at from, those up to this one are left out
	limit    int
}

// fires answers one page. The fires are worked out one by one, and no more of them
// than the page has.
func (a *API) fires(r *http.Request) (any, error) {
	q, err := firesQueryOf(r, time.Now())
	if err != nil {
		return nil, err
	}
	page := []Fire{}
	var last time.Time
	for f := range a.opts.Engine.Fires(q.from, q.to) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		if f.At.Equal(q.from) && f.Environment <= q.after {
			continue
		}
		if len(page) == q.limit {
			return list(page, firesCursor(last, page[len(page)-1].Environment, q.to)), nil
		}
		page = append(page, FireOf(f))
		last = f.At
	}
	return list(page, ""), nil
}

func firesQueryOf(r *http.Request, now time.Time) (firesQuery, error) {
	q := firesQuery{limit: MaxPage}
	values, err := query(r, "from", "to", "limit", "cursor")
	if err != nil {
		return q, err
	}
	if q.from, err = instant(values, "from", now); err != nil {
		return q, err
	}
	to := q.from.Add(defaultSpan)
	if cursor := values.Get("cursor"); cursor != "" {
		var ok bool
		if q.from, q.after, to, ok = parseFiresCursor(cursor); !ok {
			return q, &badParameter{"cursor", "the next_cursor of the page before"}
		}
	}
	if q.to, err = instant(values, "to", to); err != nil {
		return q, err
	}
	if q.to.Before(q.from) || q.to.Sub(q.from) > maxSpan {
		return q, &badParameter{"to", "an instant after from, 400 days later at most"}
	}
	q.limit, err = limitOf(values, MaxPage)
	return q, err
}

// firesCursor names the last fire of a page, and the end of the range: one that was
// left to the default must not move with the clock.
func firesCursor(at time.Time, environment string, to time.Time) string {
	text := at.UTC().Format(time.RFC3339Nano) + " " + to.UTC().Format(time.RFC3339Nano) + " " + environment
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parseFiresCursor(cursor string) (at time.Time, environment string, to time.Time, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return at, "", to, false
	}
	const fields = 3
	parts := strings.SplitN(string(text), " ", fields)
	if len(parts) != fields || parts[2] == "" {
		return at, "", to, false
	}
	at, err = ParseInstant(parts[0])
	if err != nil {
		return at, "", to, false
	}
	to, err = ParseInstant(parts[1])
	return at, parts[2], to, err == nil
}
