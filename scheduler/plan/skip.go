package plan

import "time"

// A Skipped is what it takes to leave out a stop: to keep the environment running from
// From until Until.
type Skipped struct {
	Stop        Fire // the one that is left out
	From, Until time.Time
}

// Skip returns what it takes to leave out the next stop of an environment after now: to
// keep it running until the first fire after that stop, a start or another stop. Where it
// is not wanted running now, that begins with the start before the stop, or with the stop
// itself: nothing is started that the rules do not start. ok is false when it has no stop,
// or nothing after it, by the instant last.
func (p *Plan) Skip(environment string, now, last time.Time) (s Skipped, ok bool) {
	if p.group[environment] == nil {
		return s, false
	}
	if p.Wanted(environment, now).Wanted == Running {
		s.From = now
	}
	for f := range p.All(now, last, environment) {
		switch {
		case !f.At.After(now):
		case !s.Stop.At.IsZero():
			s.Until = f.At
			return s, true
		case f.Action == Stop:
			s.Stop = f
			if s.From.IsZero() {
				s.From = f.At
			}
		case s.From.IsZero():
			s.From = f.At
		}
	}
	return s, false
}
