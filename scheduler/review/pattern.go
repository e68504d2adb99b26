package review

import (
	"math"
	"strconv"
	"strings"
	"time"

	"curfew/scheduler/plan"
)

// A Pattern is fires of one action and rule that come at the same time of day.
type Pattern struct {
	Action   plan.Action
	Schedule string
	When     string // "mon-fri 19:00", or up to three instants
	Zone     string // of When
	Fires    int
}

// fewDays is up to how many fires are named by their dates.
const fewDays = 3

// Patterns sums up fires, in the order in which the first of each comes.
func Patterns(fires []plan.Fire) []Pattern {
	type key struct {
		action               plan.Action
		schedule, time, zone string
	}
	var order []key
	instants := map[key][]time.Time{}
	for _, f := range fires {
		k := key{f.Action, f.Schedule, f.At.Format("15:04"), f.At.Location().String()}
		if instants[k] == nil {
			order = append(order, k)
		}
		instants[k] = append(instants[k], f.At)
	}
	list := make([]Pattern, len(order))
	for i, k := range order {
		list[i] = Pattern{k.action, k.schedule, when(instants[k]), k.zone, len(instants[k])}
	}
	return list
}

// when is the days and the time of day of instants that come at one.
func when(at []time.Time) string {
	if len(at) <= fewDays {
		texts := make([]string, len(at))
		for i, t := range at {
			texts[i] = t.Format("Mon 2006-01-02")
		}
		return strings.Join(texts, ", ") + at[0].Format(" 15:04")
	}
	var days plan.Days
	for _, t := range at {
		days |= 1 << t.Weekday()
	}
	if days == plan.EveryDay {
		return "every day" + at[0].Format(" 15:04")
	}
	return days.String() + at[0].Format(" 15:04")
}

// round keeps two decimals.
func round(v float64) float64 {
	const cents = 100
	return math.Round(v*cents) / cents
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
