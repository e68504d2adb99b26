package calendar

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A rawZone is the lines of a VTIMEZONE that matter here, by change of the clocks.
type rawZone struct {
	name    string
	changes [][]line
}

func (z *rawZone) keep(l line, component, name string) {
	const most = 200 // lines of one change, and changes of a zone
	switch {
	case component == "VTIMEZONE" && name == "TZID":
		if p, err := readProperty(l, "UID"); err == nil {
			z.name = p.value
		}
	case component != "VTIMEZONE" && 0 < len(z.changes) && len(z.changes) <= most:
		last := &z.changes[len(z.changes)-1]
		if len(*last) < most {
			*last = append(*last, l)
		}
	}
}

// zones finds the zones that a file uses.
type zones struct {
	known   map[string]*time.Location
	defined []rawZone
	given   Zones
}

func newZones(defined []rawZone, given Zones) *zones {
	if given.Default == nil {
		given.Default = time.UTC
	}
	return &zones{map[string]*time.Location{}, defined, given}
}

// named returns the zone that a TZID means, or nil: by its name, by the VTIMEZONE of
// that name in the file, or by the IANA name at the end of a longer one.
func (z *zones) named(name string) *time.Location {
	if loc, ok := z.known[name]; ok {
		return loc
	}
	loc := z.find(name)
	z.known[name] = loc
	return loc
}

func (z *zones) find(name string) *time.Location {
	plain := strings.NewReplacer(`\,`, ",", `\;`, ";", `\\`, `\`).Replace(name)
	if loc := z.byName(plain); loc != nil {
		return loc
	}
	for _, raw := range z.defined {
		if raw.name == name || raw.name == plain {
			return raw.location()
		}
	}
	// Evolution and Mozilla write /example.org/2024/Europe/Berlin.
	parts := strings.Split(plain, "/")
	for n := 3; n >= 2; n-- {
		if len(parts) > n {
			if loc := z.byName(strings.Join(parts[len(parts)-n:], "/")); loc != nil {
				return loc
			}
		}
	}
	return nil
}

func (z *zones) byName(name string) *time.Location {
	if z.given.Named == nil || name == "" {
		return nil
	}
	return z.given.Named(name)
}

// clock is the zone in which a calendar shows times in UTC.
func (z *zones) clock(calendar *string) *time.Location {
	if calendar != nil && *calendar != "" {
		if loc := z.named(*calendar); loc != nil {
			return loc
		}
	}
	return z.given.Default
}

// A change is an instant from which clocks are so many seconds ahead of UTC.
type change struct {
	at     int64
	before int // the seconds until then
	offset int
}

// location returns a zone with the rules that stand in the file, or nil when they cannot be
// read. The library takes zones in the form of the zone database (RFC 8536).
func (z rawZone) location() *time.Location {
	var all []change
	for _, lines := range z.changes {
		all = append(all, changesOf(lines)...)
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	types := []int{all[0].before}
	index := func(offset int) byte {
		i := slices.Index(types, offset)
		if i < 0 {
			i = len(types)
			types = append(types, offset)
		}
		return byte(i & 0xff)
	}
	var at, kinds []byte
	for _, c := range all {
		at = binary.BigEndian.AppendUint64(at, uint64(c.at)) //nolint:gosec // the sign is kept in two's complement
		kinds = append(kinds, index(c.offset))
	}
	if len(types) > 255 {
		return nil
	}
	header := func(counts ...int) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range counts {
			b = binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // a count
		}
		return b
	}
	data := append(header(0, 0, 0, 0, 0, 0), header(0, 0, 0, len(all), len(types), 4)...)
	data = append(append(data, at...), kinds...)
	for _, offset := range types {
		data = binary.BigEndian.AppendUint32(data, uint32(offset)) //nolint:gosec // the sign is kept in two's complement
		data = append(data, 0, 0)
	}
	loc, err := time.LoadLocationFromTZData(z.name, append(data, "ICS\x00\n\n"...))
	if err != nil {
		return nil
	}
	return loc
}

// changesOf expands one STANDARD or DAYLIGHT: when the clocks change from one offset
// to the other.
func changesOf(lines []line) []change {
	var e event
	var from, to int
	var okFrom, okTo bool
	for _, l := range lines {
		name, _ := nameOf(l)
		p, err := readProperty(l, name)
		if err != nil {
			continue
		}
		switch name {
		case "DTSTART":
			e.begin = zoneTime(p.value)
		case "TZOFFSETFROM":
			from, okFrom = parseOffset(p.value)
		case "TZOFFSETTO":
			to, okTo = parseOffset(p.value)
		case "RRULE":
			e.rule, _ = readRule(p.value)
		case "RDATE":
			for text := range strings.SplitSeq(p.value, ",") {
				e.more = append(e.more, repetition{begin: zoneTime(text)})
			}
		}
	}
	if !okFrom || !okTo || e.begin.IsZero() {
		return nil
	}
	e.clock = time.FixedZone("", from)
	steps := maxSteps / 100
	begins, err := e.begins(&steps)
	if err != nil {
		return nil
	}
	for _, r := range e.more {
		begins = append(begins, r.begin)
	}
	var all []change
	for _, b := range begins {
		if !b.IsZero() {
			all = append(all, change{b.Add(-time.Duration(from) * time.Second).Unix(), from, to})
		}
	}
	return all
}

func zoneTime(text string) time.Time {
	t, err := time.Parse("20060102T150405", strings.TrimSuffix(strings.TrimSpace(text), "Z"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// parseOffset reads +HHMM or +HHMMSS as seconds.
func parseOffset(text string) (int, bool) {
	if len(text) != len("+0100") && len(text) != len("+010000") || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint((text + "00")[1:7], 10, 32)
	if err != nil {
		return 0, false
	}
	seconds := int(n/10000)*3600 + int(n/100%100)*60 + int(n%100)
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
