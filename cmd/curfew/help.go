package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// The groups of commands in the help, in this order.
const (
	groupFile   = "file"
	groupPeople = "environments"
	groupLCS    = "lcs"
	groupDaemon = "daemon"
	groupOther  = "other"
)

// A guide is what the help shows of a command in addition to its flags.
type guide struct{ group, examples string }

// guides are by the path of the command, without curfew. A test holds them to the commands
// that there are.
var guides = map[string]guide{
	"validate":         {groupFile, "curfew validate\ncurfew validate schedules.yaml other.yaml -o json"},
	"plan":             {groupFile, "curfew plan --days 14\ncurfew plan --environment 'dev-*' --environment tag:team-a\ncurfew plan --from 2026-12-21 --to 2027-01-04 -o ics"},
	"explain":          {groupFile, "curfew explain dev-01\ncurfew explain dev-01 --at 2026-12-24T08:00"},
	"diff":             {groupFile, "curfew diff old.yaml schedules.yaml\ncurfew diff old.yaml schedules.yaml --days 7 --each"},
	"schema":           {groupFile, "curfew schema > schedules.schema.json"},
	"status":           {groupPeople, "curfew status\ncurfew status -o json"},
	"start":            {groupPeople, "curfew start dev-01 --wait\ncurfew start 'dev-*' tag:team-a"},
	"stop":             {groupPeople, "curfew stop dev-01 --wait\ncurfew stop tag:dev"},
	"keep":             {groupPeople, "curfew keep dev-01 --running --for 3h --reason \"a demo for the customer\"\ncurfew keep tag:dev --stopped --until 2027-01-04"},
	"skip":             {groupPeople, "curfew skip dev-01\ncurfew skip tag:team-a"},
	"overrides":        {groupPeople, "curfew overrides"},
	"release":          {groupPeople, "curfew release k3f9x2ab"},
	"history":          {groupPeople, "curfew history --since 24h\ncurfew history --environment tag:dev --state failed --since 7d"},
	"savings":          {groupPeople, "curfew savings --since 30d\ncurfew savings -o csv"},
	"audit":            {groupPeople, "curfew audit --since 7d"},
	"cancel":           {groupPeople, "curfew cancel 01a20a66-0000-7000-8000-000000000002"},
	"approve":          {groupPeople, "curfew approve 01a20a66-0000-7000-8000-000000000002"},
	"environments":     {groupLCS, "curfew environments\ncurfew environments --project contoso --yaml"},
	"login":            {groupLCS, "curfew login main\ncurfew login main --browser"},
	"accounts":         {groupLCS, "curfew accounts\ncurfew accounts check main"},
	"notify":           {groupDaemon, "curfew notify test"},
	"notify test":      {"", "curfew notify test\ncurfew notify test ops --all"},
	"accounts check":   {"", "curfew accounts check main"},
	"accounts release": {"", "curfew accounts release main"},
	"serve":            {groupDaemon, "curfew serve\ncurfew serve --listen 0.0.0.0:8080 --database /var/lib/curfew/curfew.db\nCURFEW_DATABASE_FILE=/run/secrets/database curfew serve --log-level debug"},
	"demo":             {groupDaemon, "curfew demo\ncurfew demo --listen 127.0.0.1:9090"},
	"reload":           {groupDaemon, "curfew reload"},
	"backup":           {groupDaemon, "curfew backup --database /var/lib/curfew/curfew.db monday.db\ncurfew backup --database /var/lib/curfew/curfew.db --restore monday.db"},
	"version":          {groupOther, "curfew version"},
}

// addGuides puts the commands into their groups, and adds their examples.
func addGuides(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupFile, Title: "Schedule file:"}, &cobra.Group{ID: groupPeople, Title: "Environments:"},
		&cobra.Group{ID: groupLCS, Title: "LCS:"}, &cobra.Group{ID: groupDaemon, Title: "Daemon:"}, &cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	eachCommand(root, func(c *cobra.Command) {
		g, ok := guides[shortPath(c)]
		if !ok {
			return
		}
		c.GroupID = g.group
		c.Example = "  " + strings.ReplaceAll(g.examples, "\n", "\n  ")
	})
}

// eachCommand calls f for each command below c.
func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		f(sub)
		eachCommand(sub, f)
	}
}
