package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCompletionReadsTheFileWhenNoDaemonAnswers asks for what the shell would.
func TestCompletionReadsTheFileWhenNoDaemonAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	text := strings.Replace(mixedFile, "{name: b,", "{name: b, tags: [dev],", 1) + "notify:\n  - {name: ops, url: {env: OPS_URL}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"CURFEW_CONFIG": file, "CURFEW_SERVER": "http://127.0.0.1:1"}
	e := env{strings.NewReader(""), io.Discard, io.Discard, func(name string) string { return given[name] }}
	x := completer{e}
	tests := []struct {
		name, command string
		find          wordsFunc
		want          []string
	}{
		{"environments and their tags", "stop", x.selectors, []string{"dev-é\tp", "a-much-longer-name\tp", "b\tp", "tag:dev"}},
		{"one environment", "explain", x.environments, []string{"dev-é\tp", "a-much-longer-name\tp", "b\tp"}},
		{"accounts", "login", x.accounts, []string{"a\tstatic"}},
		{"projects", "environments", x.projects, []string{"p\tus"}},
		{"receivers", "notify test", x.receivers, []string{"ops"}},
		{"runs are the daemon's alone", "cancel", x.runs(""), nil},
		{"overrides are the daemon's alone", "release", x.overrides, nil},
	}
	for _, tt := range tests {
		c, _, err := newRoot(e).Find(strings.Fields(tt.command))
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.find(t.Context(), c); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		given["CURFEW_CONFIG"] = "nosuch.yaml"
		if c, _, err := newRoot(e).Find(strings.Fields(tt.command)); err != nil || len(tt.find(t.Context(), c)) != 0 {
			t.Errorf("%s: without a file something is completed (%v)", tt.name, err)
		}
		given["CURFEW_CONFIG"] = file
	}
}

func TestCompletionWaitsForNobody(t *testing.T) {
	find := completer{}.within(func(ctx context.Context, _ *cobra.Command, _ []string) []cobra.Completion {
		<-t.Context().Done() // longer than any shell waits
		return []cobra.Completion{"late"}
	})
	if got, directive := find(&cobra.Command{}, nil, ""); len(got) != 0 || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("completed %q, %d; want nothing", got, directive)
	}
}

func TestCompletionLeavesOutWhatIsGiven(t *testing.T) {
	if got, want := without([]string{"dev-01\tp", "dev-02\tp", "tag:dev"}, []string{"dev-01", "tag:dev"}), []string{"dev-02\tp"}; !slices.Equal(got, want) {
		t.Errorf("completed %q, want %q", got, want)
	}
}
