package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/daemon"
	"curfew/scheduler/notify"
)

func newNotify(e env, path *string) *cobra.Command {
	c := &cobra.Command{
		Use: "notify", Short: "Tests the receivers of notices",
		Args: noCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use: "test [NAME]", Args: cobra.MaximumNArgs(1), Short: "Sends a message of each kind of event to the receivers",
		Long: "Sends a message of each kind of event to the receivers of the schedule file, or to the one that is named, whatever\n" +
			"they are to be notified of, and says what each answered. It needs no daemon. Exit code 1: one did not take a message.",
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return testReceivers(c, e, *path, name)
		},
	})
	return c
}

func testReceivers(c *cobra.Command, e env, path, name string) error {
	cfg, _, err := loadQuietly(path, e.stderr)
	if err != nil {
		return err
	}
	if len(cfg.Notify) == 0 {
		return fmt.Errorf("%s: there are no receivers to test; name them under notify", path)
	}
	failed, sent := 0, 0
	err = notify.Test(c.Context(), daemon.NoticesOf(cfg, e.getenv), name, func(t notify.Tried) {
		answer := "accepted"
		if sent++; t.Err != nil {
			failed++
			answer = "error: " + t.Err.Error()
		}
		_, _ = io.WriteString(e.stdout, fmt.Sprintf("%s: %s: %s\n", t.Receiver, t.Kind, answer))
	})
	if errors.Is(err, notify.ErrNoReceiver) {
		var names []string
		for _, r := range cfg.Notify {
			names = append(names, r.Name)
		}
		return usage("%s: no receiver %q; want %s", path, name, wording.Or(names))
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%s did not take a message, and %s were sent", wording.Count(failed, "receiver"), wording.Count(sent-failed, "message"))
	}
	return err
}
