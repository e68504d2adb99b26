package main

import (
	"context"
	"strings"

	"curfew/scheduler/web"
)

// showOverrides prints overrides that were made or ended just now.
func showOverrides(ctx context.Context, e env, c *web.Client, list []web.Override, form string) error {
	if form == "json" {
		return printJSON(e.stdout, list)
	}
	_, s := fileOf(ctx, e, c)
	return printOverrides(s, list)
}

func printOverrides(s *screen, list []web.Override) error {
	t := table{columns: []column{{name: "ID"}, {name: "STATE"}, {name: "KEEP"}, {name: "FROM"}, {name: "UNTIL"}, {name: "ENVIRONMENTS"}, {name: "BY", spare: 1}}}
	for _, o := range list {
		r := row{cells: []string{o.ID, o.State, o.Keep, s.minute(&o.From), s.minute(&o.Until), count(len(o.Environments), "environment"), o.By}}
		if len(o.Environments) == 1 {
			r.cells[5] = o.Environments[0]
		} else {
			r.details = append(r.details, strings.Join(o.Environments, " "))
		}
		if o.Reason != nil {
			r.details = append(r.details, "reason: "+*o.Reason)
		}
		if len(o.Stale) > 0 {
			r.details = append(r.details, "not in the file: "+strings.Join(o.Stale, " "))
		}
		t.rows = append(t.rows, r)
	}
	heading := count(len(list), "override")
	if len(list) > 0 {
		heading += ": " + totals(list, func(o web.Override) string { return o.State })
	}
	return s.print(heading, t)
}
