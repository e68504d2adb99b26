package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// quotaFile has two accounts, a and b, the projects and schedules given, and so many
// environments of each project, which have the project's name as their tag.
func quotaFile(t *testing.T, projects, schedules string, environments map[string]int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: UTC\naccounts:\n- {name: a, mode: static, token: {env: T}}\n- {name: b, mode: static, token: {env: T}}\nprojects:\n" + projects + "environments:\n")
	n := 0
	for _, tag := range slices.Sorted(maps.Keys(environments)) {
		for range environments[tag] {
			n++
			project, _, _ := strings.Cut(tag, "-")
			fmt.Fprintf(&b, "- {name: e%d, project: %s, id: 00000000-0000-0000-0000-%012d, tags: [%s]}\n", n, project, n, tag)
		}
	}
	b.WriteString("schedules:\n" + schedules)
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestValidateAndPlanForecastAlike holds both against the same expectation: validate
// names the worst fire, plan each.
func TestValidateAndPlanForecastAlike(t *testing.T) {
	const one, two = "- {name: p, id: 1, account: [a]}\n", "- {name: p, id: 1, account: [a]}\n- {name: q, id: 2, account: [a, b]}\n"
	quarter := ""
	for _, at := range []string{"07:00", "07:10", "07:15", "07:20"} {
		quarter += fmt.Sprintf("- {name: s%s, environments: tag:p-%s, start: %q, stop: \"19:%s\"}\n", strings.Replace(at, ":", "", 1), at[3:], at, at[3:])
	}
	quarters := map[string]int{"p-00": 25, "p-10": 25, "p-15": 25, "p-20": 25}
	tests := []struct {
		name, projects, schedules string
		environments              map[string]int
		validate, plan            []string
	}{
		{
			"fires shortly after each other", one, quarter, quarters,
			[]string{
				`fire ... 07:20 starts 25 environments of project p with 1 account, after 75 calls shortly before: .* 70 minutes later; with 4 accounts`,
				`fire ... 19:20 stops 25 environments of project p with 1 account, after 75 calls shortly before: .* 70 minutes later; with 4 accounts`,
			},
			[]string{
				`07:10.*no 25 starts at once with 1 account, after 25 calls shortly before: .* 07:30.*; with 2 accounts`, `07:15.*no 25 starts .*after 50 .* 08:00.*; with 3 accounts`, `07:20.*no 25 starts .*after 75 .* 08:30.*; with 4 accounts`,
				`19:10.*no 25 stops .*; with 2 accounts`, `19:15.*no 25 stops .*; with 3 accounts`, `19:20.*no 25 stops .*; with 4 accounts`,
			},
		},
		{
			"projects that share one of two accounts", two, "- {name: s, environments: \"*\", stop: \"19:00\"}\n",
			map[string]int{"p": 30, "q": 60},
			[]string{`fire ... 19:00 stops 90 environments of project p and 1 more with 2 accounts: .* 30 minutes later; with 3 accounts`},
			[]string{`19:00.*no 90 stops at once with 2 accounts: .* 19:30.*; with 3 accounts`},
		},
		{"projects that share an account, which the one leaves to the other", two, "- {name: s, environments: \"*\", stop: \"19:00\"}\n", map[string]int{"p": 30, "q": 30}, nil, nil},
		{
			"starts that lead themselves are spread before the window", one, "- {name: s, environments: \"*\", uptime: \"07:00-19:00\", lead: auto}\n",
			map[string]int{"p": 40},
			[]string{`19:00 stops 40`},
			[]string{`19:00.*no 40 stops`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := quotaFile(t, tt.projects, tt.schedules, tt.environments)
			_, out, errs := command(t, nil, "--config", file, "validate")
			matchLines(t, "validate", "environments of project", out+errs, tt.validate)
			_, _, errs = command(t, nil, "--config", file, "plan", "--from", "2027-03-01", "--days", "1")
			matchLines(t, "plan", "LCS's limits", errs, tt.plan)
		})
	}
}

func TestPlanForecastsOnlyWhatItLists(t *testing.T) {
	file := quotaFile(t, "- {name: p, id: 1, account: [a]}\n- {name: q, id: 2, account: [b]}\n", "- {name: s, environments: \"*\", stop: \"19:00\"}\n- {name: r, environments: tag:p-later, stop: \"19:10\"}\n",
		map[string]int{"p": 40, "q": 40, "p-later": 1})
	_, _, errs := command(t, nil, "--config", file, "plan", "--from", "2027-03-01T19:05:00Z", "--to", "2027-03-01T20:00:00Z", "--environment", "e1")
	matchLines(t, "plan of another environment", "LCS's limits", errs, nil)
	_, _, errs = command(t, nil, "--config", file, "plan", "--from", "2027-03-01T19:05:00Z", "--to", "2027-03-01T20:00:00Z")
	matchLines(t, "plan from between two fires", "LCS's limits", errs, []string{`19:10.*no 1 stop at once with 1 account, after 40 calls shortly before: .* 19:30`})
	_, _, errs = command(t, nil, "--config", file, "plan", "--from", "2027-03-01", "--days", "1", "--environment", "e1")
	matchLines(t, "plan of one environment", "LCS's limits", errs, []string{`19:00.*no 41 stops`})
}

// matchLines sees that the lines with a mark are those that the patterns describe, in
// any order.
func matchLines(t *testing.T, what, mark, text string, patterns []string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, mark) {
			lines = append(lines, line)
		}
	}
	ok := len(lines) == len(patterns)
	for _, p := range patterns {
		ok = ok && slices.ContainsFunc(lines, regexp.MustCompile(p).MatchString)
	}
	if !ok {
		t.Errorf("%s says\n%swant lines like\n%s", what, strings.Join(lines, ""), strings.Join(patterns, "\n"))
	}
}
