package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
)

// drawPlan returns the plan of a few environments, some with the same rules, named so
// that they are not in the order of their names.
func drawPlan(t *rapid.T, locations map[string]*time.Location) (*world, *plan.Plan) {
	w := newWorld(t, &walls{}, locations)
	names := []string{"m", "c", "x", "a"}[:rapid.IntRange(1, 4).Draw(t, "environments")]
	for _, name := range names {
		w.addEnvironment(name)
		if rapid.Bool().Draw(t, "twin") {
			w.addTwin(name, name+"-twin")
			w.addTwin(name, "b"+name)
		}
	}
	p, err := plan.Compile(w.spec)
	if err != nil {
		t.Fatal(err)
	}
	return w, p
}

// addTwin adds an environment with the rules of another.
func (w *world) addTwin(of, name string) {
	w.spec.Environments = append(w.spec.Environments, name)
	for i := range w.spec.Schedules {
		if s := &w.spec.Schedules[i]; slices.Contains(s.Environments, of) {
			s.Environments = append(s.Environments, name)
		}
	}
	for i := range w.spec.Exceptions {
		if e := &w.spec.Exceptions[i]; slices.Contains(e.Environments, of) {
			e.Environments = append(e.Environments, name)
		}
	}
}

func loadZones(t *testing.T) map[string]*time.Location {
	t.Helper()
	locations := map[string]*time.Location{}
	for _, zone := range zones() {
		locations[zone] = mustLoad(t, zone)
	}
	return locations
}

func TestStreamedFiresAreThoseOfTheWholeRangeAtOnce(t *testing.T) {
	locations := loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		w, p := drawPlan(t, locations)
		from := w.at(rapid.IntRange(0, walkLength).Draw(t, "from"))
		to := from.Add(time.Duration(rapid.IntRange(-1, 60*dayMinutes).Draw(t, "length")) * time.Minute)
		named := rapid.SliceOfN(rapid.SampledFrom(append(w.spec.Environments, "nobody")), 0, 3).Draw(t, "named")
		want := p.FiresAtOnce(from, to, named...)
		if got := p.Fires(from, to, named...); !slices.Equal(got, want) {
			t.Fatalf("Fires(%s, %s, %v)\n got %v\nwant %v\n%s", from, to, named, got, want, w)
		}
		held := rapid.IntRange(50, 5000).Draw(t, "held")
		if got := slices.Collect(p.AllHolding(held, from, to, named...)); !slices.Equal(got, want) {
			t.Fatalf("AllHolding(%d, %s, %s, %v)\n got %v\nwant %v\n%s", held, from, to, named, got, want, w)
		}
		stop := rapid.IntRange(0, max(0, len(want)-1)).Draw(t, "stop")
		for f := range p.All(from, to, named...) {
			if f != want[0] {
				t.Fatalf("fire %v, want %v", f, want[0])
			}
			if want = want[1:]; stop == 0 {
				break
			}
			stop--
		}
	})
}

func TestBatchesNameTheNextFireOfTheirEnvironments(t *testing.T) {
	locations := loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		w, p := drawPlan(t, locations)
		from, to := w.from(), w.at(walkLength)
		next := map[string]time.Time{}
		var got []plan.Fire
		for b := range p.Batches(from, to) {
			for _, name := range b.Environments {
				if at, seen := next[name]; seen && !at.Equal(b.At) {
					t.Fatalf("%s has a fire at %s, the one before named %s\n%s", name, b.At, at, w)
				}
				next[name] = b.Next
				f := b.Fire
				f.Environment = name
				got = append(got, f)
			}
		}
		for name, at := range next {
			if !at.IsZero() {
				t.Fatalf("the last fire of %s names another at %s\n%s", name, at, w)
			}
		}
		if want := len(p.Fires(from, to)); len(got) != want {
			t.Fatalf("%d fires in batches, %d fires\n%s", len(got), want, w)
		}
	})
}

func TestNextInstantComesBeforeNoFire(t *testing.T) {
	locations := loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		w, p := drawPlan(t, locations)
		entries := p.Entries()
		at := w.from()
		for range 30 {
			at = at.Add(time.Duration(rapid.IntRange(-60, 900).Draw(t, "step")) * time.Minute)
			var want time.Time
			for _, e := range entries {
				if next := e.Schedule.Next(at); !next.IsZero() && (want.IsZero() || next.Before(want)) {
					want = next
				}
			}
			if got := p.NextInstant(at); !got.Equal(want) {
				t.Fatalf("NextInstant(%s) = %s, want %s\n%s", at, got, want, w)
			}
		}
	})
}

func TestFiresOfAShortRangeAreThoseOfALongOne(t *testing.T) {
	p := fleet(t, 10)
	from := newYear(2026)
	var short []plan.Fire
	for at := from; at.Before(from.AddDate(0, 0, 7)); at = at.Add(45 * time.Second) {
		short = append(short, p.Fires(at, at.Add(45*time.Second))...)
	}
	if long := p.Fires(from, from.AddDate(0, 0, 7)); !slices.Equal(short, long) {
		t.Errorf("%d fires in steps, %d at once", len(short), len(long))
	}
}

func TestNextInstantOfAPlanWithoutRules(t *testing.T) {
	p := mustCompile(t, plan.Spec{Environments: []string{"a"}})
	if got := p.NextInstant(newYear(2026)); !got.IsZero() {
		t.Errorf("NextInstant = %s, want none", got)
	}
}

// ownRules is n environments each with a schedule of its own.
func ownRules(tb testing.TB, n int) *plan.Plan {
	tb.Helper()
	spec := plan.Spec{}
	loc := mustLoad(tb, "Europe/Copenhagen")
	for i := range n {
		name := fmt.Sprintf("env-%05d", i)
		spec.Environments = append(spec.Environments, name)
		spec.Schedules = append(spec.Schedules, plan.Schedule{
			Name: "s" + name, Location: loc, Environments: []string{name},
			Uptime: []plan.Window{mustWindow(tb, fmt.Sprintf("mon-fri 07:%02d-19:%02d", i%60, i/60%60))},
		})
	}
	return mustCompile(tb, spec)
}

// BenchmarkAllYear10000 streams a year of 10,000 environments.
func BenchmarkAllYear10000(b *testing.B) {
	for name, p := range map[string]*plan.Plan{"few rules": fleet(b, 10_000), "own rules": ownRules(b, 10_000)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for range p.All(newYear(2026), newYear(2027)) {
					n++
				}
				if n < 5_000_000 {
					b.Fatal(n)
				}
			}
		})
	}
}

// BenchmarkQuietTick is a tick of 15 s with nothing due.
func BenchmarkQuietTick(b *testing.B) {
	p := ownRules(b, 10_000)
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for b.Loop() {
		if got := len(p.Fires(at, at.Add(15*time.Second))); got != 0 {
			b.Fatal(got)
		}
	}
}

func TestZoneChangeSaysNothingFarFromAChange(t *testing.T) {
	locations := loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		w, p := drawPlan(t, locations)
		for f := range p.All(w.from(), w.at(walkLength)) {
			if note, ok := p.ZoneChange(f); ok && !plan.ChangesNear(f.At) {
				t.Fatalf("%v: %s, but no change is near\n%s", f, note, w)
			}
		}
	})
}

func TestNextFires(t *testing.T) {
	p := sketch{zone: "UTC", rules: []string{"uptime mon 07:00-19:00", "uptime mon 08:00-18:00", "uptime 00:00-00:01"}, exceptions: []plan.Exception{
		{Name: "summer", Keep: plan.Stopped, From: mustTime(t, "2026-07-01T00:00:00Z"), Until: mustTime(t, "2026-08-01T00:00:00Z")},
		{Name: "past", Keep: plan.Stopped, From: mustTime(t, "2025-07-01T00:00:00Z"), Until: mustTime(t, "2025-08-01T00:00:00Z")},
	}}.compile(t)
	got := p.NextFires(mustTime(t, "2026-03-02T07:00:00Z"))
	want := map[string]string{"s0": "stop 2026-03-02T19:00:00Z", "s2": "start 2026-03-03T00:00:00Z", "summer": "stop 2026-07-01T00:00:00Z"}
	for name, text := range want {
		f := got[name]
		if have := fmt.Sprintf("%s %s", f.Action, f.At.Format(time.RFC3339)); have != text || f.Environment != "dev-01" {
			t.Errorf("next fire of %s = %+v, want %s", name, f, text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("NextFires = %v, want those of %v", got, want)
	}
}

func TestFiresOfNamedEnvironments(t *testing.T) {
	p := fleet(t, 12)
	from, to := newYear(2026), newYear(2026).AddDate(0, 0, 14)
	all := p.Fires(from, to)
	sorted := slices.IsSortedFunc(all, func(a, b plan.Fire) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Environment, b.Environment)
	})
	if !sorted {
		t.Error("fires are not sorted by time and environment")
	}
	want := slices.DeleteFunc(all, func(f plan.Fire) bool { return f.Environment != "env-0004" && f.Environment != "env-0010" })
	if got := p.Fires(from, to, "env-0010", "env-0004", "env-0010", "nobody"); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("Fires = %v, want %v", got, want)
	}
	if got := p.Fires(from, to, "nobody"); len(got) != 0 {
		t.Errorf("Fires of an unknown environment = %v", got)
	}
	if got := p.Fires(to, from); len(got) != 0 {
		t.Errorf("Fires of a range that ends before it begins = %v", got)
	}
}
