package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// savingsSince is how far back the page goes when its address does not say.
const savingsSince = 30

const longestSavings = 10 * 366 * 24 * time.Hour

// SavingsPage is what was saved since a day.
type SavingsPage struct {
	Since  string
	From   Moment
	Total  SavingsLine
	Lines  []SavingsLine
	Tags   []SavingsLine
	Months []SavingsLine // of the last 13 months, newest first
	CSV    string
}

// A SavingsLine is the sums of one environment, tag or all.
type SavingsLine struct {
	Name                             string
	HoursOff                         string
	Saved, LostFailed, LostOverrides string
	Share                            int // of the longest bar, in percent
	sums                             report.Sums
}

func (p *Pages) savings(r *http.Request, c *clock) (any, error) {
	since, err := sinceOf(r, c)
	if err != nil {
		return nil, err
	}
	_, currency := p.opts.Reports.Place()
	page := &SavingsPage{Since: plan.DateOf(since).String(), From: c.moment(since)}
	page.CSV = "/savings.csv?since=" + page.Since
	tags := map[string]report.Sums{}
	err = p.opts.Reports.Savings(r.Context(), since, func(e report.Environment, sums report.Sums) error {
		page.Lines = append(page.Lines, SavingsLine{Name: e.Name, sums: sums})
		page.Total.sums.Add(sums)
		for _, tag := range e.Tags {
			sum := tags[tag]
			sum.Add(sums)
			tags[tag] = sum
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if page.Months, err = p.months(r, c); err != nil {
		return nil, err
	}
	for tag, sums := range tags {
		page.Tags = append(page.Tags, SavingsLine{Name: tag, sums: sums})
	}
	for _, list := range [][]SavingsLine{page.Lines, page.Tags} {
		slices.SortFunc(list, func(a, b SavingsLine) int {
			return cmp.Or(cmp.Compare(b.sums.Saved, a.sums.Saved), cmp.Compare(b.sums.HoursOff, a.sums.HoursOff), cmp.Compare(a.Name, b.Name))
		})
		format(list, currency)
	}
	format(page.Months, currency)
	total := []SavingsLine{page.Total}
	format(total, currency)
	page.Total = total[0]
	return page, nil
}

// shownMonths is of how many months before this one the page shows the savings.
const shownMonths = 12

func (p *Pages) months(r *http.Request, c *clock) ([]SavingsLine, error) {
	list, err := p.opts.Reports.Months(r.Context(), c.now.In(c.zone).AddDate(0, -shownMonths, 0))
	if err != nil {
		return nil, err
	}
	var lines []SavingsLine
	last := ""
	for _, one := range slices.Backward(list) {
		if one.Month != last {
			name, err := time.Parse("2006-01", one.Month)
			if err != nil {
				return nil, err
			}
			lines = append(lines, SavingsLine{Name: name.Format("January 2006")})
			last = one.Month
		}
		lines[len(lines)-1].sums.Add(one.Savings)
	}
	return lines, nil
}

// format writes the figures of lines, and how long their bars are.
func format(list []SavingsLine, currency string) {
	most := 0.0
	for _, l := range list {
		most = max(most, l.sums.HoursOff)
	}
	for i := range list {
		l := &list[i]
		l.HoursOff = strconv.FormatFloat(l.sums.HoursOff, 'f', 1, 64)
		l.Saved, l.LostFailed, l.LostOverrides = money(l.sums.Saved, currency), money(l.sums.LostFailed, currency), money(l.sums.LostOverrides, currency)
		if most > 0 {
			l.Share = int(100 * l.sums.HoursOff / most)
		}
	}
}

// sinceOf is the begin of the day that the address names.
func sinceOf(r *http.Request, c *clock) (time.Time, error) {
	q, err := query(r, "since")
	if err != nil {
		return time.Time{}, err
	}
	if q.Get("since") == "" {
		return plan.DateOf(c.now.In(c.zone)).AddDays(-savingsSince).In(c.zone), nil
	}
	day, err := plan.ParseDate(q.Get("since"))
	since := day.In(c.zone)
	if err != nil || since.After(c.now) || c.now.Sub(since) > longestSavings {
		return since, &badQuery{"since: want a day of the last ten years such as " + c.now.In(c.zone).Format(time.DateOnly)}
	}
	return since, nil
}

// savingsCSV is the page's table for a spreadsheet.
func (p *Pages) savingsCSV(w http.ResponseWriter, r *http.Request) {
	since, err := sinceOf(r, p.clock())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var rows []report.Line
	_, currency := p.opts.Reports.Place()
	err = p.opts.Reports.Savings(r.Context(), since, func(e report.Environment, sums report.Sums) error {
		rows = append(rows, report.Line{Name: e.Name, Sums: sums})
		return nil
	})
	if err != nil {
		p.log.Error("savings not answered", zap.Error(err))
		http.Error(w, "curfew could not answer; the daemon's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="savings.csv"`)
	_ = report.WriteCSV(w, currency, rows)
}
