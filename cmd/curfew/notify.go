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
	c.AddCommand(newNotifyTest(e, path))
	return c
}

func newNotifyTest(e env, path *string) *cobra.Command {
	var t notify.Trial
	c := &cobra.Command{
		Use: "test [NAME]", Args: cobra.MaximumNArgs(1), Short: "Sends a message of each kind of event to the receivers",
		Long: "Sends a message of each kind of event that they are to be notified of to the receivers of the schedule file, or to\n" +
			"the one that is named, and says what each answered. It needs no daemon. Exit code 1: one did not take a message.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				t.Receiver = args[0]
			}
			return testReceivers(c, e, *path, t)
		},
	}
	c.Flags().BoolVar(&t.All, "all", false, "messages of every kind, whatever a receiver is to be notified of")
	return c
}

func testReceivers(c *cobra.Command, e env, path string, trial notify.Trial) error {
	cfg, _, err := loadQuietly(path, e.stderr)
	if err != nil {
		return err
	}
	if len(cfg.Notify) == 0 {
		return fmt.Errorf("%s: there are no receivers to test; name them under notify", path)
	}
	failed, sent := 0, 0
	err = notify.Test(c.Context(), daemon.NoticesOf(cfg, e.getenv), trial, func(t notify.Tried) {
		answer := "accepted"
		if sent++; t.Err != nil {
			failed++
			answer = "not delivered: " + t.Err.Error()
		}
		_, _ = io.WriteString(e.stdout, fmt.Sprintf("%s: notice %q %s\n", t.Receiver, t.Kind, answer))
	})
	if errors.Is(err, notify.ErrNoReceiver) {
		var names []string
		for _, r := range cfg.Notify {
			names = append(names, r.Name)
		}
		return usage("%s: no receiver %q; want %s", path, trial.Receiver, wording.Or(names))
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%s did not take a message, and %s were sent", wording.Count(failed, "receiver"), wording.Count(sent-failed, "message"))
	}
	return err
}
