package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// previewer has comparedFile as its active file.
func previewer(t *testing.T) *reloader {
	t.Helper()
	cfg, diags := config.Parse("a.yaml", []byte(comparedFile), ".", config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return &reloader{cfg: cfg, plan: p, previewing: make(chan struct{}, 1)}
}

func TestPastedFileIsComparedUpToSoManyFires(t *testing.T) {
	tests := []struct {
		name    string
		uptime  string
		changes int
		most    int
	}{
		{"an hour later", "uptime: mon-fri 03:30-19:00", 2, 0},
		{"each minute, of 1,000 environments", `start: "* * * * *"`, 0, mostFires},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(comparedFile, "uptime: mon-fri 02:30-19:00", tt.uptime, 1)
			if tt.most > 0 {
				more := ""
				for i := range 1000 {
					more += fmt.Sprintf("- {name: e%d, project: p, id: 00000000-0000-0000-0001-%012d}\n", i, i)
				}
				text = strings.NewReplacer("schedules:\n", more+"schedules:\n", "[dev-é, b]", `["e*"]`).Replace(text)
			}
			found, err := previewer(t).preview(t.Context(), text)
			if err != nil || len(found.Changes) != tt.changes || found.Most != tt.most {
				t.Fatalf("%d changes, at most %d fires, %v; want %d and %d; problems %v", len(found.Changes), found.Most, err, tt.changes, tt.most, found.Problems)
			}
			if most := mostFires + 10_000; found.Fires > most {
				t.Errorf("%d fires were counted, want %d at most", found.Fires, most)
			}
		})
	}
}

func TestPastedFileIsCheckedWhenTheOneBeforeIs(t *testing.T) {
	r := previewer(t)
	r.previewing <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.preview(ctx, comparedFile); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want that the request ended", err)
	}
	<-r.previewing
	if _, err := r.preview(t.Context(), comparedFile); err != nil || len(r.previewing) != 0 {
		t.Errorf("err = %v with %d under way, want none", err, len(r.previewing))
	}
}
