package plan_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

// A vector is a fact from the tests of another scheduler, in neutral form.
type vector struct {
	ID       string
	Kind     string
	Adopt    string
	Schedule vectorSchedule
	Input    json.RawMessage
	Expected json.RawMessage
	Check    struct {
		Type, Spec, TZ, Local, Policy, A, B, At string
		Expect                                  json.RawMessage
	}
}

type vectorSchedule struct {
	Timezone   string
	Periods    []vectorPeriod
	Absolute   []string
	Cron       string
	Start      string
	End        string
	Monthdays  string
	Months     string
	Weekdays   string
	Timespan   string
	Range      string
	DailyStart string   `json:"daily_start"`
	DailyStop  string   `json:"daily_stop"`
	DaysOff    []string `json:"whole_days_off"`
	Exempt     bool     `json:"permanently_exempt"`
}

type vectorPeriod struct {
	Begin, End, Overnight string
	Days                  []string
	Months, Monthdays     []int
	Weekdays              string
}

// Why vectors are left out.
const (
	noMonthRules = "a rule on months or days of the month that cron cannot express: nearest, last or nth weekday, last days, wrapping range"
	forConfig    = "about keys and zones of the file, which are read elsewhere"
	forEngine    = "about runs, not about rules"
)

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func TestVectorsOfOtherSchedulers(t *testing.T) {
	kinds := map[string]func(*testing.T, vector) string{
		"window_state": checkState, "cron_next": checkCronNext, "previous_event": checkPrevious,
		"next_event": checkNextEvent, "validation": checkValidation, "wall_clock_gap": checkResolve,
		"wall_clock_overlap": checkResolve, "usage": checkUsage, "calendar": checkCalendar,
		"decision": checkByID, "hour_match": checkByID, "catchup": checkByID,
		"delta": func(*testing.T, vector) string { return forEngine },
	}
	ran, leftOut := 0, map[string][]string{}
	vectors := readVectors(t)
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			check := kinds[v.Kind]
			if check == nil {
				t.Fatalf("no check for kind %q", v.Kind)
			}
			if reason := check(t, v); reason != "" {
				leftOut[reason] = append(leftOut[reason], v.ID)
				return
			}
			ran++
		})
	}
	left := 0
	for reason, ids := range leftOut {
		left += len(ids)
		t.Logf("left out %d: %s: %s", len(ids), reason, strings.Join(ids, " "))
	}
	t.Logf("ran %d of %d", ran, len(vectors))
	if all := ran+left == len(vectors); all && ran != 134 { // not all run under -run
		t.Errorf("ran %d vectors, want 134", ran)
	}
}

// onlySchedule compiles s for the environment env.
func onlySchedule(t *testing.T, zone string, s plan.Schedule) *plan.Plan {
	t.Helper()
	if zone == "" {
		zone = "UTC"
	}
	s.Name, s.Environments, s.Location = "vector", []string{"env"}, mustLoad(t, zone)
	return mustCompile(t, plan.Spec{Environments: []string{"env"}, Schedules: []plan.Schedule{s}})
}

// window is the period as text: no times are the whole day, and 23:59 stands for the
// end of the day where the source has no 24:00.
func (p vectorPeriod) window() string {
	begin, end := p.Begin, p.End
	if begin == "" && end == "" {
		begin, end = "00:00", "24:00"
	}
	if end == "23:59" {
		end = "24:00"
	}
	return strings.TrimSpace(strings.Join(p.Days, ",") + " " + begin + "-" + end)
}

func fieldOf(list []int, plus int) string {
	moved := make([]int, len(list))
	for i, n := range list {
		moved[i] = n + plus
	}
	return field(moved)
}

// schedule maps the periods: months and days of the month become cron, a begin or an
// end alone becomes an event.
func (s vectorSchedule) schedule(t *testing.T) plan.Schedule {
	var out plan.Schedule
	start := func(text string) { out.Starts = append(out.Starts, mustTrigger(t, text, plan.EveryDay)) }
	stop := func(text string) { out.Stops = append(out.Stops, mustTrigger(t, text, plan.EveryDay)) }
	if s.Start != "" {
		start(s.Start)
		stop(s.End)
	}
	for _, p := range s.Periods {
		switch {
		case p.Months != nil:
			start("0 0 1 " + fieldOf(p.Months, 0) + " *")
			stop("0 0 1 " + fieldOf(p.Months, 1) + " *")
		case p.Monthdays != nil:
			start("0 0 " + fieldOf(p.Monthdays, 0) + " * *")
			stop("0 0 " + fieldOf(p.Monthdays, 1) + " * *")
		case p.Begin != "" && p.End == "":
			start(p.Begin)
		case p.Begin == "" && p.End != "":
			stop(p.End)
		default:
			out.Uptime = append(out.Uptime, mustWindow(t, p.window()))
		}
	}
	return out
}

func checkState(t *testing.T, v vector) string {
	if v.Schedule.Absolute != nil {
		return checkAbsolute(t, v)
	}
	if v.Adopt == "differs" && v.Check.Type == "window" {
		text := v.Schedule.Periods[0].window()
		if w, err := plan.ParseWindow(text); err == nil {
			t.Errorf("ParseWindow(%q) = %v, want an error", text, w)
		}
		return ""
	}
	var expected string
	var input struct{ At time.Time }
	decode(t, v.Expected, &expected)
	decode(t, v.Input, &input)
	running := strings.HasPrefix(expected, "running") || strings.HasPrefix(expected, "active")
	if v.Adopt == "no" {
		running = !running
	}
	want := plan.Stopped
	if running || expected == "any" { // before today's begin the start of yesterday counts
		want = plan.Running
	}
	p := onlySchedule(t, v.Schedule.Timezone, v.Schedule.schedule(t))
	if got := p.Wanted("env", input.At); got.Wanted != want {
		t.Errorf("Wanted(%s) = %+v, want %s", input.At, got, want)
	}
	return ""
}

// checkAbsolute maps a dated stretch to an exception.
func checkAbsolute(t *testing.T, v vector) string {
	p := mustCompile(t, plan.Spec{
		Environments: []string{"env"},
		Exceptions: []plan.Exception{{
			Name: "stretch", Environments: []string{"env"}, Location: mustLoad(t, "UTC"), Keep: plan.Running,
			From: mustTime(t, v.Check.A), Until: mustTime(t, v.Check.B),
		}},
	})
	var in bool
	decode(t, v.Check.Expect, &in)
	if got := p.Wanted("env", mustTime(t, v.Check.At)); (got.Wanted == plan.Running) != in {
		t.Errorf("Wanted(%s) = %+v, want running %t", v.Check.At, got, in)
	}
	return ""
}

func decode(t *testing.T, data json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func checkCronNext(t *testing.T, v vector) string {
	zone, text := v.Schedule.Timezone, v.Schedule.Cron
	if rest, ok := strings.CutPrefix(text, "CRON_TZ="); ok {
		zone, text, _ = strings.Cut(rest, " ")
	}
	trigger, err := plan.ParseTrigger(text, 0)
	if string(v.Expected) == "null" {
		if err == nil {
			t.Errorf("ParseTrigger(%q) = %v, want an error", text, trigger)
		}
		return ""
	}
	entry := onlySchedule(t, zone, plan.Schedule{Stops: []plan.Trigger{mustTrigger(t, text, 0)}}).Entries()[0]
	from, want := v.Check.At, strings.Trim(string(v.Expected), `"`)
	switch v.ID {
	case "v299": // given in words
		from, want = "2012-11-04T00:00:00-04:00", "2012-11-04T01:00:00-04:00"
	case "v289": // the source skips the day
		want = "2012-03-11T03:00:00-04:00"
	}
	if got := entry.Schedule.Next(mustTime(t, from)); !got.Equal(mustTime(t, want)) {
		t.Errorf("Next(%s) = %s, want %s", from, got, want)
	}
	return ""
}

func checkPrevious(t *testing.T, v vector) string {
	var input struct {
		From time.Time `json:"from_exclusive"`
		To   time.Time `json:"to_inclusive"`
	}
	var want time.Time
	decode(t, v.Input, &input)
	decode(t, v.Expected, &want)
	p := onlySchedule(t, v.Schedule.Timezone, plan.Schedule{Stops: []plan.Trigger{mustTrigger(t, v.Schedule.Cron, 0)}})
	fires := p.Fires(input.From.Add(1), input.To.Add(1))
	if len(fires) == 0 || !fires[len(fires)-1].At.Equal(want) {
		t.Errorf("Fires = %v, want the last at %s", fires, want)
	}
	return ""
}

func checkNextEvent(t *testing.T, v vector) string {
	if v.Schedule.Exempt {
		p := mustCompile(t, plan.Spec{Environments: []string{"env"}})
		if fires := p.Fires(newYear(2026), newYear(2027)); len(fires) != 0 {
			t.Errorf("Fires of an environment without schedules = %v", fires)
		}
		return ""
	}
	days := plan.EveryDay
	for _, name := range v.Schedule.DaysOff {
		off, err := plan.ParseDays(name)
		if err != nil {
			t.Fatal(err)
		}
		days &^= off
	}
	period := vectorPeriod{Begin: v.Schedule.DailyStart, End: v.Schedule.DailyStop, Days: []string{days.String()}}
	p := onlySchedule(t, v.Schedule.Timezone, plan.Schedule{Uptime: []plan.Window{mustWindow(t, period.window())}})
	var input struct{ Now time.Time }
	want := map[string]time.Time{}
	decode(t, v.Input, &input)
	decode(t, v.Expected, &want)
	fires := p.Fires(input.Now.Add(1), input.Now.AddDate(0, 0, 8))
	for key, at := range want {
		action := plan.Action(strings.TrimPrefix(key, "next_"))
		i := slices.IndexFunc(fires, func(f plan.Fire) bool { return f.Action == action })
		if i < 0 || !fires[i].At.Equal(at) {
			t.Errorf("%s of %v is not at %s", key, fires, at)
		}
	}
	return ""
}

func checkResolve(t *testing.T, v vector) string {
	local, err := time.Parse("2006-01-02T15:04", v.Check.Local)
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Resolve(plan.DateOf(local), local.Hour()*60+local.Minute(), mustLoad(t, v.Check.TZ))
	if want := mustTime(t, v.Check.Policy); !got.Equal(want) {
		t.Errorf("Resolve(%s) = %s, want %s", v.Check.Local, got, want)
	}
	return ""
}

func checkUsage(t *testing.T, v vector) string {
	if v.Schedule.Periods[0].Weekdays != "" {
		return noMonthRules
	}
	p := onlySchedule(t, v.Schedule.Timezone, plan.Schedule{Uptime: []plan.Window{mustWindow(t, "sun "+v.Schedule.Periods[0].window())}})
	fires := p.Fires(mustTime(t, "2026-10-24T00:00:00Z"), mustTime(t, "2026-10-27T00:00:00Z"))
	if len(fires) != 2 || fires[1].At.Sub(fires[0].At) != 25*time.Hour {
		t.Errorf("Fires = %v, want two that are 25 hours apart", fires)
	}
	return ""
}

func checkCalendar(t *testing.T, v vector) string {
	if v.ID != "v087" { // the one range that cron has too
		return noMonthRules
	}
	var want []int
	decode(t, v.Expected, &want)
	p := onlySchedule(t, "UTC", plan.Schedule{Starts: []plan.Trigger{mustTrigger(t, "0 0 "+v.Schedule.Range+" * *", 0)}})
	var got []int
	for _, f := range p.Fires(newYear(2026), newYear(2026).AddDate(0, 1, 0)) {
		got = append(got, f.At.Day())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days %v, want %v", got, want)
	}
	return ""
}
