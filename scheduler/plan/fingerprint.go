package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Fingerprint is a digest, in hex, of the rules of the schedule or exception of that
// name: windows, triggers, zone and the fingerprint of the calendar, and not its
// environments. It is the same in every process, and "" for an unknown name.
func (p *Plan) Fingerprint(name string) string {
	at, ok := p.place[name]
	switch {
	case !ok:
		return ""
	case at.schedule:
		return digest(p.spec.Schedules[at.index].keys())
	}
	return digest([]string{exceptionKey(&p.spec.Exceptions[at.index])})
}

// keys describe all rules of the schedule, in file order.
func (s *Schedule) keys() []string {
	keys := []string{s.Location.String()}
	if s.Calendar != nil {
		keys = append(keys, calendarKey(s.Calendar))
	}
	for _, w := range s.Uptime {
		keys = append(keys, windowKey(w)+leadKey(s.Lead))
	}
	for _, t := range s.Starts {
		keys = append(keys, "start "+t.canonical())
	}
	for _, t := range s.Stops {
		keys = append(keys, "stop "+t.canonical())
	}
	return keys
}

func digest(keys []string) string {
	h := sha256.New()
	for _, k := range keys {
		_, _ = io.WriteString(h, k+"\n") // a hash never fails to write
	}
	return hex.EncodeToString(h.Sum(nil))
}
