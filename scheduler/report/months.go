package report

import (
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
)

// A Summed is the savings that are kept as sums of months.
type Summed interface {
	// Summed returns until when the savings are summed, the zero instant when nothing is.
	Summed(ctx context.Context) (time.Time, error)
	// Sums returns the sums of the months from one to another, both inclusive; a month is
	// written 2026-11.
	Sums(ctx context.Context, first, last string) ([]scheduler.MonthSums, error)
}

// Month returns the month of an instant, such as 2026-11.
func Month(at time.Time, zone *time.Location) string { return at.In(zone).Format("2006-01") }

// monthAfter returns the instant at which the month after that of an instant begins.
func monthAfter(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	return time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, zone)
}

// Months returns the savings of each environment in each month from from to until. Those
// of which there are none are left out.
func Months(ctx context.Context, s Subject, from, until time.Time) ([]scheduler.MonthSums, error) {
	var list []scheduler.MonthSums
	s.Kept = time.Time{} // the sums of months come from what was observed alone
	for from.Before(until) {
		end, month := monthAfter(from, s.Location), Month(from, s.Location)
		if end.After(until) {
			end = until
		}
		err := Savings(ctx, s, from, end, func(e Environment, sums Sums) error {
			if sums != (Sums{}) {
				list = append(list, scheduler.MonthSums{Month: month, Environment: e.Name, Savings: sums})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		from = end
	}
	return list, nil
}

// older returns the sums of the months whose observations are not kept any more, by
// environment, and since when the observations count.
func (s *Subject) older(ctx context.Context, since time.Time) (map[string]Sums, time.Time, error) {
	if !since.Before(s.Kept) {
		return nil, since, nil
	}
	first := since
	if next := monthAfter(since.Add(-1), s.Location); next.After(since) {
		first = next // a part of a month is not known
	}
	until := monthAfter(s.Kept, s.Location)
	if !first.Before(until) {
		return nil, since, nil
	}
	summed, err := s.Summed.Summed(ctx)
	if err != nil {
		return nil, since, fmt.Errorf("report: %w", err)
	}
	list, err := s.Summed.Sums(ctx, Month(first, s.Location), Month(s.Kept, s.Location))
	if err != nil {
		return nil, since, fmt.Errorf("report: %w", err)
	}
	sums := map[string]Sums{}
	for _, one := range list {
		sum := sums[one.Environment]
		sum.Add(one.Savings)
		sums[one.Environment] = sum
	}
	switch {
	case summed.Before(since):
		return sums, since, nil // nothing is summed
	case summed.Before(until):
		return sums, summed, nil
	}
	return sums, until, nil
}
