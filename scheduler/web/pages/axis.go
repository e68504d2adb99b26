package pages

import (
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// An Axis is the days that a timeline shows. All rows have the same one.
type Axis struct {
	From, To time.Time
	Width    int // of the drawing
	Now      int // place of the present moment, -1 when it is not on the axis
	Days     []Day
}

// A Day is one day of an axis.
type Day struct {
	X, Width int
	Name     string
	Weekend  bool
	Today    bool
}

const (
	axisWidth = 1400
	daysShown = 7
	daysPast  = 1
)

// axis is the week that a page shows: yesterday, today and the days after.
func (c *clock) axis() Axis {
	first := plan.DateOf(c.now.In(c.zone)).AddDays(-daysPast)
	a := Axis{From: first.In(c.zone), To: first.AddDays(daysShown).In(c.zone), Width: axisWidth}
	a.Now = a.x(c.now)
	for i := range daysShown {
		d := first.AddDays(i)
		begin, end := d.In(c.zone), d.AddDays(1).In(c.zone)
		day := Day{X: a.x(begin), Name: begin.Format("Mon 2"), Weekend: d.Weekday() == time.Saturday || d.Weekday() == time.Sunday, Today: i == daysPast}
		day.Width = a.x(end) - day.X
		a.Days = append(a.Days, day)
	}
	return a
}

// x is the place of an instant on the axis.
func (a Axis) x(at time.Time) int {
	whole := a.To.Sub(a.From)
	return int(float64(a.Width)*float64(at.Sub(a.From))/float64(whole) + 0.5)
}

// A Bar is a stretch of a row as it is drawn.
type Bar struct {
	X, Width int
	Class    string
	Text     string
	Often    bool // it stands for several that are too near to each other
}

// A Lane is the drawing of one environment's row, and what it says in words.
type Lane struct {
	Axis     *Axis
	Wanted   []Bar
	Observed []Bar
	Marks    []Bar
	Label    string
}

func (c *clock) lane(a *Axis, row report.Row) Lane {
	l := Lane{Axis: a, Label: "wanted and observed states of " + row.Environment.Name}
	for _, s := range row.Wanted {
		if s.Wanted != plan.Running {
			continue
		}
		l.Wanted = join(l.Wanted, c.bar(a, s.From, s.To, "wanted-"+string(s.Wanted), "wanted "+string(s.Wanted), s.Because))
	}
	for _, s := range row.Observed {
		l.Observed = join(l.Observed, c.bar(a, s.From, s.Until, "seen-"+string(s.Condition), "LCS showed "+conditionText(s), ""))
	}
	for _, m := range row.Marks {
		x := a.x(m.At)
		l.Marks = append(l.Marks, Bar{X: x, Width: 0, Class: "mark", Text: m.At.Format("Mon 2 Jan") + ": " + m.Text})
	}
	return l
}

// narrow is a width that nobody can point at: bars so near to each other are drawn as one.
const narrow = 4

// join adds a bar to a lane. One that touches the bar before, or can hardly be seen next to
// another such, becomes part of it.
func join(list []Bar, next Bar) []Bar {
	last := len(list) - 1
	if last < 0 || list[last].Class != next.Class {
		return append(list, next)
	}
	before := &list[last]
	apart := next.X - before.X - before.Width
	often := apart < narrow && next.Width < narrow && (before.Often || before.Width < narrow)
	if !often && apart > 0 {
		return append(list, next)
	}
	before.Width = max(before.Width, next.X+next.Width-before.X)
	if often {
		before.Text, before.Often = "changes often; the page of the environment has each", true
	}
	return list
}

func conditionText(s scheduler.Span) string {
	if s.Condition == lcs.Busy {
		return "it being serviced"
	}
	return "it " + string(s.Condition)
}

func (c *clock) bar(a *Axis, from, to time.Time, class, what, why string) Bar {
	if from.Before(a.From) {
		from = a.From
	}
	if to.After(a.To) {
		to = a.To
	}
	text := what + " " + from.In(c.zone).Format("Mon 15:04") + " to " + to.In(c.zone).Format("Mon 15:04")
	if why != "" {
		text += ": " + why
	}
	x := a.x(from)
	return Bar{X: x, Width: max(a.x(to)-x, 1), Class: class, Text: text}
}
