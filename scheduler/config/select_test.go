package config_test

import (
	"strings"
	"testing"

	"curfew/scheduler/config"
)

func TestSelect(t *testing.T) {
	environments := []config.Environment{{Name: "dev-02", Tags: []string{"dev"}}, {Name: "dev-01", Tags: []string{"dev", "team-a"}}, {Name: "uat-01"}}
	tests := []struct{ name, selectors, want, wrong string }{
		{"a name", "dev-01", "dev-01", ""},
		{"a glob selects in the order of the file", "dev-*", "dev-02 dev-01", ""},
		{"a tag", "tag:team-a", "dev-01", ""},
		{"each is selected once", "dev-01 tag:dev *", "dev-02 dev-01 uat-01", ""},
		{"a near miss of a name", "dev-1", "", `no environment is selected by "dev-1"; did you mean "dev-01"?`},
		{"a near miss of a tag", "tag:team-b", "", `no environment is selected by "tag:team-b"; did you mean "tag:team-a"?`},
		{"a tag without its prefix", "team-a", "", `no environment is selected by "team-a"; did you mean "tag:team-a"?`},
		{"a glob that matches nothing is not all", "prod-*", "", `no environment is selected by "prod-*"`},
		{"every mistake is reported", "nobody uat-*  [", "uat-01", "nobody\"; want the name of an environment, a glob or tag:NAME\nthe glob \"[\" is not valid; want * ? and [...]"},
	}
	for _, tt := range tests {
		got, err := config.Select(environments, strings.Fields(tt.selectors)...)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: selected %v, want %s", tt.name, got, tt.want)
		}
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: error = %v, want %s", tt.name, err, tt.wrong)
		}
	}
}
