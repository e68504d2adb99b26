package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
	"curfew/scheduler/zone"
)

// What help says of flags that take an instant.
const (
	instantForms = "HH:MM (the next one), a day or a local time, of the schedule file's zone, or RFC 3339 with an offset"
	sinceForms   = "24h, 7d, HH:MM (the last one), a day or a local time, of the schedule file's zone, or RFC 3339 with an offset"
)

// A reference is what instants of the command line are relative to.
type reference struct {
	zone *time.Location
	now  time.Time
	past bool // HH:MM is the last one before now, and not the next one after it
}

// parse reads RFC 3339, or HH:MM, a day or a local time of the zone.
func (r reference) parse(flag, s string) (time.Time, error) {
	if at, ok := config.ParseInstant(s, r.zone); ok {
		return at, nil
	}
	const layout = "15:04"
	clock, err := time.Parse(layout, s)
	if err != nil || len(s) != len(layout) {
		length := ""
		if r.past {
			length = "a duration such as 24h or 7d, "
		}
		return time.Time{}, usage("--%s: cannot read %q; want %sa time such as 19:00, a day such as 2026-11-23, a local time such as 2026-11-23T19:00, or RFC 3339 with an offset such as 2026-11-23T19:00:00+01:00", flag, s, length)
	}
	return r.nearest(clock.Hour()*60 + clock.Minute()), nil
}

// nearest returns the next or the last instant at which a minute of the day comes.
func (r reference) nearest(minute int) time.Time {
	day, step := plan.DateOf(r.now.In(r.zone)), 1
	if r.past {
		step = -1
	}
	for {
		at := plan.Resolve(day, minute, r.zone)
		if at.After(r.now) != r.past {
			return at
		}
		day = day.AddDays(step)
	}
}

// ofDaemon is parse for commands that talk to the daemon: what has no offset is of the zone
// of its file, in which they also show times; of that of the schedule file here when it
// does not answer.
func (r reference) ofDaemon(c *cobra.Command, remote *client.Client, flag, s string) (time.Time, error) {
	if t, err := api.ParseInstant(s); err == nil {
		return t, nil
	}
	r.zone = time.UTC
	if t, err := r.parse(flag, s); err != nil {
		return t, err
	}
	if f, err := remote.File(c.Context()); err == nil {
		if loc, err := zone.Load(f.Timezone); err == nil {
			r.zone = loc
			return r.parse(flag, s)
		}
	}
	path := c.Flag("config").Value.String()
	cfg, diags := config.Load(path, config.Options{})
	if cfg == nil {
		const want = "name the file that the daemon has with --config, or write RFC 3339 with an offset, such as 2026-11-23T19:00:00+01:00"
		return time.Time{}, usage("--%s: %s means the zone of the schedule file, which cannot be used: %s; %s", flag, s, diags.Errors()[0], want)
	}
	if cfg.Location == nil {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "--%s: %s has no timezone for the whole file; %s is taken for UTC\n", flag, path, s)
	}
	r.zone = cfg.Zone()
	return r.parse(flag, s)
}

// sinceOf reads --since, and makes the client of a command that lists what came after it.
func sinceOf(c *cobra.Command, e env, server, since string) (time.Time, *client.Client, error) {
	remote, err := newClient(e, server)
	if err != nil {
		return time.Time{}, nil, err
	}
	at, err := parseSince(c, remote, since)
	return at, remote, err
}

// parseSince reads an instant, or how long ago it was.
func parseSince(c *cobra.Command, remote *client.Client, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	now := time.Now()
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 3660 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return reference{now: now, past: true}.ofDaemon(c, remote, "since", s)
}
