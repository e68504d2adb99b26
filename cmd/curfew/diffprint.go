package main

import (
	"bufio"
	"fmt"
	"strconv"

	"curfew/internal/wording"
	"curfew/scheduler/plan"
	"curfew/scheduler/review"
)

// The limits of what is printed of a group of environments.
const (
	maxPatterns = 8 // lines of fires lost, and of fires gained
	maxNames    = 6
)

type diffHeading struct {
	files, currency string
	diffOptions
}

// printDifference prints what the files do differently, environments with the same
// change together.
func printDifference(e env, d *review.Difference, h diffHeading) error {
	w := bufio.NewWriter(e.stdout) // it keeps its first error
	_, _ = fmt.Fprintf(w, "%s: %s from %s (%s)\n", h.files, wording.Count(h.days, "day"), d.From.Format("Mon 2006-01-02 15:04"), d.From.Location())
	if d.Same() {
		_, _ = fmt.Fprintln(w, "both do the same")
		return flush(w)
	}
	for _, note := range d.Notes {
		_, _ = fmt.Fprintln(w, note)
	}
	if h.each {
		if err := printTable(w, "ENVIRONMENT CHANGE LOST GAINED HOURS/WEEK COST/WEEK", eachRows(d)); err != nil {
			return err
		}
	} else {
		for _, g := range d.Groups() {
			writeGroup(w, g, h.currency, d.From.Location().String())
		}
	}
	_, _ = fmt.Fprintf(w, "\nin total\n    %s lost, %d gained\n    up %s hours a week\n", wording.Count(d.Lost, "fire"), d.Gained, arrow(d.Old.Hours, d.New.Hours))
	if d.Old.Cost != 0 || d.New.Cost != 0 {
		_, _ = fmt.Fprintf(w, "    cost %s a week\n", arrowMoney(d.Old.Cost, d.New.Cost, h.currency))
	}
	if len(d.Unknown) > 0 {
		_, _ = fmt.Fprintf(w, "    hours and cost leave out %s: no rule says all the time what they should be\n", wording.Environments(d.Unknown))
	}
	return flush(w)
}

func flush(w *bufio.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func eachRows(d *review.Difference) [][]string {
	rows := make([][]string, len(d.Changes))
	for i, c := range d.Changes {
		rows[i] = []string{c.Environment, c.Kind, strconv.Itoa(len(c.Lost)), strconv.Itoa(len(c.Gained)), "unknown", "unknown"}
		if !c.Old.Unknown && !c.New.Unknown {
			rows[i][4], rows[i][5] = arrow(c.Old.Hours, c.New.Hours), arrowMoney(c.Old.Cost, c.New.Cost, "")
		}
	}
	return rows
}

func writeGroup(w *bufio.Writer, g review.Group, currency, zone string) {
	title, each := wording.Environments(g.Environments), ""
	if g.Kind != review.Changed {
		title += " (" + g.Kind + ")"
	}
	if len(g.Environments) > 1 {
		each = " each"
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", title)
	for _, note := range g.Notes {
		_, _ = fmt.Fprintf(w, "    %s\n", note)
	}
	writePatterns(w, "-", g.Lost, zone)
	writePatterns(w, "+", g.Gained, zone)
	if g.Old.Unknown || g.New.Unknown {
		return
	}
	_, _ = fmt.Fprintf(w, "    up %s hours a week%s\n", arrow(g.Old.Hours, g.New.Hours), each)
	if g.OldCost != 0 || g.NewCost != 0 {
		_, _ = fmt.Fprintf(w, "    cost %s a week\n", arrowMoney(g.OldCost, g.NewCost, currency))
	}
}

func writePatterns(w *bufio.Writer, sign string, fires []plan.Fire, zone string) {
	list := review.Patterns(fires)
	for i, p := range list {
		if i == maxPatterns {
			left := 0
			for _, other := range list[i:] {
				left += other.Fires
			}
			_, _ = fmt.Fprintf(w, "  %s and %s at other times\n", sign, wording.Count(left, "fire"))
			return
		}
		elsewhere := ""
		if p.Zone != zone {
			elsewhere = " " + p.Zone
		}
		_, _ = fmt.Fprintf(w, "  %s %-5s  %s%s (%s, %s)\n", sign, p.Action, p.When, elsewhere, wording.Count(p.Fires, "fire"), cell(p.Schedule))
	}
}

// arrow shows a number before and after, and the difference.
func arrow(before, after float64) string {
	if before == after {
		return decimal(before, 1)
	}
	return fmt.Sprintf("%s → %s (%s)", decimal(before, 1), decimal(after, 1), signed(after-before, 1))
}

func arrowMoney(before, after float64, currency string) string {
	if currency != "" {
		currency = " " + cell(currency)
	}
	if before == after {
		return decimal(before, 2) + currency
	}
	return fmt.Sprintf("%s → %s%s (%s)", decimal(before, 2), decimal(after, 2), currency, signed(after-before, 2))
}

func decimal(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

func signed(v float64, digits int) string {
	if v > 0 {
		return "+" + decimal(v, digits)
	}
	return decimal(v, digits)
}
