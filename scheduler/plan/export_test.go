package plan

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// FiresAtOnce works out the whole range at once, as Fires did before it was streamed.
func (p *Plan) FiresAtOnce(from, to time.Time, environments ...string) []Fire {
	lo, hi := instantOf(from), instantOf(to)-1
	var list []Fire
	if lo > hi {
		return nil
	}
	for _, g := range p.groups {
		for _, f := range g.fires(nil, lo, hi) {
			for _, name := range g.environments {
				if len(environments) == 0 || slices.Contains(environments, name) {
					fire := f.fire()
					fire.Environment = name
					list = append(list, fire)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Fire) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Environment, b.Environment))
	})
	return list
}

// AllHolding is All with about so many fires held at a time.
func (p *Plan) AllHolding(held int, from, to time.Time, environments ...string) iter.Seq[Fire] {
	return func(yield func(Fire) bool) {
		p.expand(batches(p.selected(environments), from, to, held), yield)
	}
}
