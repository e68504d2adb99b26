// Package review compares two schedule files by what they do: the fires that are gained
// and lost, the hours up and the money. It is pure.
package review

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"curfew/scheduler/plan"
)

// A File is one of the two files.
type File struct {
	Plan         *plan.Plan
	Environments []Environment // in file order
	Currency     string
}

// An Environment is an environment of a file.
type Environment struct {
	Name        string
	Target      string // what it is in LCS: its project and id
	CostPerHour float64
}

// The kinds of change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// A Use is how long an environment is wanted running, in a week.
type Use struct {
	// Unknown: nothing is wanted of it for a part of the time, so that nobody knows
	// how long it runs.
	Unknown bool
	Hours   float64
	Cost    float64
}

// A Change is the difference in one environment.
type Change struct {
	Environment string
	Kind        string
	Lost        []plan.Fire // sorted by instant
	Gained      []plan.Fire
	Old, New    Use
	Notes       []string // what else differs, in words
}

// A Difference is what one file does and the other does not.
type Difference struct {
	From, To time.Time
	Changes  []Change // sorted by environment; those without a difference are left out
	Lost     int      // fires
	Gained   int
	Old, New Use // of all environments whose use is known in both files
	// Unknown are the environments that are left out of Old and New, sorted: for a part of the
	// time no rule of one of the files says what they should be.
	Unknown []string
	Notes   []string // what else differs in the files, in words
}

// Same reports whether the two files do the same.
func (d *Difference) Same() bool { return len(d.Changes)+len(d.Notes) == 0 }

// Compare compares what two files do from from (inclusive) to to (exclusive).
func Compare(before, after File, from, to time.Time) *Difference {
	d := &Difference{From: from, To: to}
	a, b := newSide(before, from, to), newSide(after, from, to)
	if before.Currency != after.Currency {
		d.Notes = append(d.Notes, "currency "+cmp.Or(before.Currency, "none")+" → "+cmp.Or(after.Currency, "none"))
	}
	pairs := map[[2]*rules]*delta{}
	for _, name := range union(before, after) {
		c := Change{Environment: name, Kind: Changed}
		x, inOld := a.environments[name]
		y, inNew := b.environments[name]
		key := [2]*rules{a.of(name), b.of(name)}
		if pairs[key] == nil {
			pairs[key] = newDelta(key[0], key[1])
		}
		c.Lost, c.Gained = named(pairs[key].lost, name), named(pairs[key].gained, name)
		c.Old, c.New = key[0].use(x.CostPerHour), key[1].use(y.CostPerHour)
		switch {
		case !inOld:
			c.Kind = Added
		case !inNew:
			c.Kind = Removed
		default:
			c.compare(x, y)
		}
		d.add(c)
	}
	for _, u := range []*Use{&d.Old, &d.New} {
		u.Hours, u.Cost = round(u.Hours), round(u.Cost)
	}
	return d
}

// compare notes what differs in the entry of an environment that both files have.
func (c *Change) compare(x, y Environment) {
	if x.Target != y.Target {
		c.Notes = append(c.Notes, "another environment in LCS: "+x.Target+" → "+y.Target)
	}
	if x.CostPerHour != y.CostPerHour {
		c.Notes = append(c.Notes, "cost_per_hour "+number(x.CostPerHour)+" → "+number(y.CostPerHour))
	}
	switch {
	case c.New.Unknown && !c.Old.Unknown:
		c.Notes = append(c.Notes, "for a part of the time no rule says any more what it should be: it stays as it is")
	case c.Old.Unknown && !c.New.Unknown:
		c.Notes = append(c.Notes, "there is a rule for it all the time now; before there was none for a part of it")
	}
}

func (d *Difference) add(c Change) {
	d.Lost += len(c.Lost)
	d.Gained += len(c.Gained)
	if c.Old.Unknown || c.New.Unknown {
		d.Unknown = append(d.Unknown, c.Environment)
	} else {
		d.Old.Hours += c.Old.Hours
		d.Old.Cost += c.Old.Cost
		d.New.Hours += c.New.Hours
		d.New.Cost += c.New.Cost
	}
	if c.Kind != Changed || len(c.Lost)+len(c.Gained)+len(c.Notes) > 0 || c.Old != c.New {
		d.Changes = append(d.Changes, c)
	}
}

// union returns the names of both files, sorted.
func union(before, after File) []string {
	var names []string
	for _, f := range []File{before, after} {
		for _, e := range f.Environments {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rules are what one file does with environments that have the same rules.
type rules struct {
	fires   []plan.Fire
	weeks   float64
	unknown bool
	hours   float64 // in all
}

var absent = &rules{} // of an environment that a file does not have

type side struct {
	environments map[string]Environment
	rules        map[string]*rules
}

func newSide(f File, from, to time.Time) *side {
	s := &side{environments: make(map[string]Environment, len(f.Environments)), rules: make(map[string]*rules, len(f.Environments))}
	for _, e := range f.Environments {
		s.environments[e.Name] = e
	}
	const week = 7 * 24 * time.Hour
	for _, alike := range f.Plan.Alike() {
		first := alike[0]
		r := &rules{fires: f.Plan.Fires(from, to, first), weeks: float64(to.Sub(from)) / float64(week)}
		for _, span := range f.Plan.Spans(first, from, to) {
			switch span.Wanted {
			case plan.Running:
				r.hours += span.To.Sub(span.From).Hours()
			case plan.Stopped:
			case plan.Unknown:
				r.unknown = true
			}
		}
		for _, name := range alike {
			s.rules[name] = r
		}
	}
	return s
}

func (s *side) of(name string) *rules {
	if r := s.rules[name]; r != nil {
		return r
	}
	return absent
}

func (r *rules) use(costPerHour float64) Use {
	if r.unknown {
		return Use{Unknown: true}
	}
	if r.weeks == 0 {
		return Use{}
	}
	hours := round(r.hours / r.weeks)
	return Use{Hours: hours, Cost: round(hours * costPerHour)}
}

// A delta is the difference in fires between two groups of rules.
type delta struct{ lost, gained []plan.Fire }

func newDelta(before, after *rules) *delta {
	d := &delta{}
	a, b := before.fires, after.fires
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].At.Before(b[0].At):
			d.lost, a = append(d.lost, a[0]), a[1:]
		case len(a) == 0 || b[0].At.Before(a[0].At):
			d.gained, b = append(d.gained, b[0]), b[1:]
		default: // one instant: an environment has one fire at most
			if a[0].Action != b[0].Action {
				d.lost, d.gained = append(d.lost, a[0]), append(d.gained, b[0])
			}
			a, b = a[1:], b[1:]
		}
	}
	return d
}

// named returns fires of another environment with the same rules as those of one.
func named(fires []plan.Fire, environment string) []plan.Fire {
	list := make([]plan.Fire, len(fires))
	for i, f := range fires {
		f.Environment = environment
		list[i] = f
	}
	return list
}

// A Group is the changes that are the same but for the environment.
type Group struct {
	Change           // of the first environment
	Environments     []string
	OldCost, NewCost float64 // of all of them, a week
}

// Groups puts changes together that differ by the environment alone, in the order in
// which the first of each comes.
func (d *Difference) Groups() []Group {
	var groups []Group
	at := map[string]int{}
	for _, c := range d.Changes {
		key := c.key()
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, Group{Change: c})
		}
		g := &groups[i]
		g.Environments = append(g.Environments, c.Environment)
		g.OldCost += c.Old.Cost
		g.NewCost += c.New.Cost
	}
	return groups
}

// key is the same for changes that differ by the environment and its cost alone.
func (c *Change) key() string {
	var b strings.Builder
	b.WriteString(c.Kind)
	for _, note := range c.Notes {
		b.WriteString("\n" + note)
	}
	for _, u := range []Use{c.Old, c.New} {
		b.WriteString("\nuse " + number(u.Hours))
		if u.Unknown {
			b.WriteString(" unknown")
		}
	}
	for _, list := range [][]plan.Fire{c.Lost, c.Gained} {
		b.WriteString("\nfires")
		for _, f := range list {
			b.WriteString(" " + string(f.Action) + number(float64(f.At.Unix())) + f.Schedule)
		}
	}
	return b.String()
}
