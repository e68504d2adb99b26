package main

import (
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/review"
	"curfew/scheduler/web/api"
)

// A weekly is a number of the old file and of the new one, a week; null when it is not
// known.
type weekly struct {
	Old *float64 `json:"old"`
	New *float64 `json:"new"`
}

func weeklyOf(before, after review.Use, number func(review.Use) float64) weekly {
	of := func(u review.Use) *float64 {
		if u.Unknown {
			return nil
		}
		v := number(u)
		return &v
	}
	return weekly{of(before), of(after)}
}

func hoursOf(u review.Use) float64 { return u.Hours }
func costOf(u review.Use) float64  { return u.Cost }

// A difference is what diff prints as JSON.
type difference struct {
	From         string               `json:"from"`
	To           string               `json:"to"`
	Same         bool                 `json:"same"`
	Currency     string               `json:"currency"`
	Lost         int                  `json:"fires_lost"`
	Gained       int                  `json:"fires_gained"`
	Hours        weekly               `json:"hours_a_week"`
	Cost         weekly               `json:"cost_a_week"`
	Unknown      []string             `json:"unknown"` // left out of hours and cost
	Notes        []string             `json:"notes"`
	Environments []environmentChanged `json:"environments"`
}

type environmentChanged struct {
	Name   string     `json:"name"`
	Change string     `json:"change"` // added, removed or changed
	Lost   []api.Fire `json:"lost"`
	Gained []api.Fire `json:"gained"`
	Hours  weekly     `json:"hours_a_week"`
	Cost   weekly     `json:"cost_a_week"`
	Notes  []string   `json:"notes"`
}

func differenceOf(d *review.Difference, currency string) difference {
	out := difference{
		From: d.From.Format(time.RFC3339), To: d.To.Format(time.RFC3339), Same: d.Same(), Currency: currency, Lost: d.Lost, Gained: d.Gained,
		Hours: weeklyOf(d.Old, d.New, hoursOf), Cost: weeklyOf(d.Old, d.New, costOf), Unknown: orEmpty(d.Unknown), Notes: orEmpty(d.Notes),
		Environments: make([]environmentChanged, len(d.Changes)),
	}
	for i, c := range d.Changes {
		out.Environments[i] = environmentChanged{
			Name: c.Environment, Change: c.Kind, Lost: firesOf(c.Lost), Gained: firesOf(c.Gained),
			Hours: weeklyOf(c.Old, c.New, hoursOf), Cost: weeklyOf(c.Old, c.New, costOf), Notes: orEmpty(c.Notes),
		}
	}
	return out
}

func firesOf(fires []plan.Fire) []api.Fire {
	list := make([]api.Fire, len(fires))
	for i, f := range fires {
		list[i] = api.FireOf(f)
	}
	return list
}

// orEmpty is a list that JSON shows as one when it is empty.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
