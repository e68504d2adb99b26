package daemon

import (
	"strings"
	"testing"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

const comparedFile = `version: 1
timezone: Europe/Copenhagen
accounts: [{name: a, mode: static, token: {env: T}}]
projects: [{name: p, id: 1, account: a}]
environments:
- {name: dev-é, project: p, id: 00000000-0000-0000-0000-000000000001}
- {name: a-much-longer-name, project: p, id: 00000000-0000-0000-0000-000000000002}
- {name: b, project: p, id: 00000000-0000-0000-0000-000000000003}
schedules:
- {name: office, environments: [dev-é, b], uptime: mon-fri 02:30-19:00}
- {name: new-york-nights, timezone: America/New_York, environments: [a-much-longer-name], start: "06:30", stop: "0 22 * * *"}
`

func TestSummaryOfAReload(t *testing.T) {
	of := func(edits ...string) loaded {
		text := strings.NewReplacer(edits...).Replace(comparedFile)
		cfg, diags := config.Parse("a.yaml", []byte(text), ".", config.Options{})
		if cfg == nil || diags.HasErrors() {
			t.Fatalf("%v: %v", edits, diags)
		}
		p, err := plan.Compile(cfg.Spec)
		if err != nil {
			t.Fatal(err)
		}
		return loaded{cfg, p}
	}
	now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		edits []string
		want  string
	}{
		{"a comment", []string{"schedules:", "# a comment\nschedules:"}, "no environment, schedule or fire differs"},
		{"another hour", []string{"02:30-19:00", "02:30-20:00"}, "schedules changed: office; in the next 7 days 10 fires gained, 10 lost"},
		{"a disabled schedule", []string{"name: office,", "name: office, enabled: false,"}, "schedules changed: office; in the next 7 days 0 fires gained, 20 lost"},
		{"a setting that makes no fire", []string{"name: office,", "name: office, enforce: always,"}, "schedules changed: office"},
		{"an environment with another cost", []string{"{name: b,", "{name: b, cost_per_hour: 3,"}, "environments changed: b"},
		{"another name", []string{"{name: a-much-longer-name,", "{name: short,", "[a-much-longer-name]", "[short]"}, "environments added: short; environments removed: a-much-longer-name; schedules changed: new-york-nights; in the next 7 days 14 fires gained, 14 lost"},
	} {
		if got := changesOf(of(), of(tt.edits...), now).Summary; got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}
