package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// A Line is the sums of one environment, for a spreadsheet.
type Line struct {
	Name string
	Sums
}

// WriteCSV writes a heading and the lines. Hours and money have two decimals.
func WriteCSV(w io.Writer, currency string, lines []Line) error {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	rows := [][]string{{"environment", "hours_off", "saved", "lost_failed", "lost_overrides", "currency"}}
	for _, l := range lines {
		rows = append(rows, []string{l.Name, number(l.HoursOff), number(l.Saved), number(l.LostFailed), number(l.LostOverrides), currency})
	}
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("write the savings: %w", err)
	}
	return nil
}
