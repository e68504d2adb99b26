package main

import (
	"context"
	"strings"

	"curfew/internal/wording"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// showOverrides prints overrides that were made or ended just now.
func showOverrides(ctx context.Context, e env, c *client.Client, list []api.Override, form string) error {
	if form == "json" {
		return printJSON(e.stdout, list)
	}
	_, s := fileOf(ctx, e, c)
	return printOverrides(s, list)
}

func printOverrides(s *screen, list []api.Override) error {
	t := table{columns: []column{{name: "ID"}, {name: "STATE"}, {name: "KEEP"}, {name: "FROM"}, {name: "UNTIL"}, {name: "ENVIRONMENTS"}, {name: "BY", spare: 1}}}
	for _, o := range list {
		names, more := namesCell(o.Environments)
		r := row{cells: []string{o.ID, o.State, o.Keep, s.minute(&o.From), s.minute(&o.Until), names, o.By}, details: more}
		if o.Reason != nil {
			r.details = append(r.details, "reason: "+*o.Reason)
		}
		if len(o.Stale) > 0 {
			r.details = append(r.details, "not in the file: "+strings.Join(o.Stale, " "))
		}
		t.rows = append(t.rows, r)
	}
	heading := wording.Count(len(list), "override")
	if len(list) > 0 {
		heading += ": " + totals(list, func(o api.Override) string { return o.State })
	}
	return s.print(heading, t)
}

// namesCell returns what a cell says of environments: the name of one, or the number of
// several, whose names are the detail.
func namesCell(names []string) (cell string, details []string) {
	if len(names) == 1 {
		return names[0], nil
	}
	return wording.Count(len(names), "environment"), []string{strings.Join(names, " ")}
}
