package engine

import (
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// A scan is how far the metadata of a project is read.
type scan struct {
	reading  map[target]bool
	changed  chan struct{}                    // closed when a read of the project ends
	last     int                              // page read last of a scan that is not at its end
	pages    int                              // that the last whole scan had
	ended    time.Time                        // when that was
	begins   [3]time.Time                     // of the scan before the last whole one, of that, and of the one under way
	latest   map[string]scheduler.Observation // by environment id, of this process
	offPage  map[string]bool                  // environments that are not on their page any more
	failures map[target]int                   // in a row
	tried    map[target]time.Time
	polled   polls // the last that were no call's need
	retry    map[target]time.Time
	rejected map[target]rejection // by id, or target{} for all of the project
	odd      map[int]int          // rows without a readable id, by page
	failed   int                  // refreshes in a row
	wait     time.Time            // no refresh before
}

// A rejection is LCS's final word on a metadata call: 403 or 404.
type rejection struct {
	at      time.Time // zero: there is none
	message string
}

// polls are the instants of the last half of LCS's limit.
type polls []time.Time

const halfOfLimit = 3

// next returns the instant from which half of LCS's limit is free again.
func (p polls) next(now time.Time) time.Time {
	if len(p) < halfOfLimit {
		return now
	}
	return p[0].Add(quota.Metadata.Window + quota.Guard)
}

// before reports whether a target goes before another that was asked for first: for calls,
// one that failed less often; of polls, the one that was tried longest ago.
func (s *scan) before(t, other target, poll bool) bool {
	if poll {
		return s.tried[key(t)].Before(s.tried[key(other)])
	}
	return s.failures[key(t)] < s.failures[key(other)]
}

// key is a target as failures are counted: by page, whoever asked for it.
func key(t target) target {
	if t.page > 0 {
		return target{page: t.page}
	}
	return t
}

func (s *scan) busy(t target) bool { return s.reading[key(t)] }

// target returns what to read for one environment.
func (s *scan) target(n need, unknownPage int) target {
	switch {
	case s.offPage[n.seen.ID]:
		return target{id: n.seen.ID}
	case n.seen.Page > 0:
		return target{page: n.seen.Page, id: n.seen.ID}
	case unknownPage >= wholeProject && s.ended.IsZero():
		return target{page: s.last + 1}
	default:
		return target{id: n.seen.ID}
	}
}

// reject notes a 403, which is about the project, and a 404: of the first page it is about
// the project, too, and a later page may just not be there any more.
func (s *scan) reject(t target, c scheduler.Call, a answer) {
	switch {
	case a.kind == lcs.Forbidden, a.kind == lcs.NotFound && t.page == 1:
		s.rejected[target{}] = rejection{c.Done, a.message}
	case a.kind != lcs.NotFound:
	case t.page == 0:
		s.rejected[t] = rejection{c.Done, a.message}
	default:
		if t.id != "" {
			s.offPage[t.id] = true
		}
		if t.page == s.last+1 {
			s.advance(t.page, false, c)
		}
	}
}

// advance moves a scan on by the page that is next.
func (s *scan) advance(page int, more bool, c scheduler.Call) {
	if page == 1 {
		s.begins[2] = micros(c.At)
	}
	if s.last = page; !more {
		s.last, s.ended, s.pages = 0, c.Done, page
		s.begins[0], s.begins[1] = s.begins[1], s.begins[2]
	}
}
