package report

import (
	"bufio"
	"strconv"
	"strings"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A Calendar writes iCalendar, event by event: memory does not grow with their number.
type Calendar struct {
	w          *bufio.Writer
	stamp      string
	at         time.Time // of the last fire, with its texts
	begin, uid string
}

// instantForm is how iCalendar writes an instant in UTC.
const instantForm = "20060102T150405Z"

// refreshed is how often programs that subscribe to a calendar are asked to read it again.
const refreshed = "PT1H"

// escape is how iCalendar writes text.
var escape = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r", "", "\n", `\n`)

// NewCalendar begins a calendar. With a name it is one to subscribe to.
func NewCalendar(w *bufio.Writer, name string, now time.Time) *Calendar {
	c := &Calendar{w: w, stamp: "\r\nDTSTAMP:" + now.UTC().Format(instantForm) + "\r\nDTSTART:"}
	_ = c.write("BEGIN:VCALENDAR\r\nPRODID:-//curfew//plan//EN\r\nVERSION:2.0\r\n") // the writer keeps its first error
	if name != "" {
		_ = c.write("NAME:", escape.Replace(name), "\r\nX-WR-CALNAME:", escape.Replace(name), "\r\nREFRESH-INTERVAL;VALUE=DURATION:", refreshed, "\r\nX-PUBLISHED-TTL:", refreshed, "\r\n")
	}
	return c
}

// Fire writes a fire, as an event of no length.
func (c *Calendar) Fire(f plan.Fire) error {
	if f.At != c.at {
		c.at, c.begin, c.uid = f.At, f.At.UTC().Format(instantForm), strconv.FormatInt(f.At.Unix(), 10)
	}
	return c.write("BEGIN:VEVENT\r\nDESCRIPTION:", escape.Replace(f.Schedule), ": ", escape.Replace(f.Reason), c.stamp, c.begin,
		"\r\nSUMMARY:", string(f.Action), " ", f.Environment, "\r\nUID:", c.uid, "-", f.Environment, "-", string(f.Action), "@curfew\r\nEND:VEVENT\r\n")
}

// Override writes an override, as an event from its begin to its end, of some of its
// environments.
func (c *Calendar) Override(o scheduler.Override, environments []string) error {
	said := "by " + o.By.String()
	if o.Reason != "" {
		said += ": " + o.Reason
	}
	return c.write("BEGIN:VEVENT\r\nDESCRIPTION:", escape.Replace(said), "\r\nDTEND:", o.Until.UTC().Format(instantForm), c.stamp, o.From.UTC().Format(instantForm),
		"\r\nSUMMARY:", escape.Replace("keep "+string(o.Keep)+" "+strings.Join(environments, ", ")), "\r\nUID:override-", o.ID, "@curfew\r\nEND:VEVENT\r\n")
}

// End ends the calendar. What the writer holds is still to be flushed.
func (c *Calendar) End() error { return c.write("END:VCALENDAR\r\n") }

// write writes texts one after the other, and returns the first error of the writer.
func (c *Calendar) write(texts ...string) error {
	var err error
	for _, s := range texts {
		_, err = c.w.WriteString(s)
	}
	return err
}
