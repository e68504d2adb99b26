// Command curfew starts and stops Dynamics 365 Finance & Operations environments
// on a schedule, through the Lifecycle Services API.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/lcs/secret"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitInvalid = 3 // the schedule file has errors
)

// An env is all that a command knows of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal then ends the process at once
	code := run(ctx, env{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// A coded error carries the exit code that it earns.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// usage marks an error as a mistake in the command line.
func usage(format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), exitUsage}
}

// errReported ends a command whose problems were printed already.
var errReported = errors.New("reported")

// run executes one command line and returns its exit code.
func run(ctx context.Context, e env, args []string) int {
	root := newRoot(e) //nolint:contextcheck // cobra hands the context to the command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errClosedPipe) {
		return exitDone // the reader of our output has seen enough
	}
	if !errors.Is(err, errReported) {
		say(e.stderr, "curfew: "+secret.Redact(err.Error())+"\n")
	}
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	if _, ok := errors.AsType[*daemon.SettingError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func newRoot(e env) *cobra.Command {
	root := &cobra.Command{
		Use:   "curfew",
		Short: "Starts and stops Dynamics 365 Finance & Operations environments on a schedule",
		Long: "curfew starts and stops Dynamics 365 Finance & Operations environments on a schedule,\n" +
			"through the Lifecycle Services API, and proves that they arrived.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 invalid schedule file.",
		SilenceErrors: true, SilenceUsage: true, Args: noCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	config := root.PersistentFlags().String("config", cmp.Or(e.getenv("CURFEW_CONFIG"), "schedules.yaml"), "the schedule `file` (CURFEW_CONFIG)")
	root.AddCommand(
		newServe(e, config), newDemo(e), newValidate(e, config), newPlan(e, config), newExplain(e, config), newDiff(e),
		newEnvironments(e, config), newStatus(e), newHistory(e), newSavings(e), newAudit(e), newAct(e, plan.Start), newAct(e, plan.Stop),
		newDecide(e, "cancel", "Ends runs that are not at their end", func(ctx context.Context, c *client.Client, id string) (api.Run, error) {
			return c.Cancel(ctx, id)
		}),
		newDecide(e, "approve", "Lets a fire go that would stop more than max_stops_per_fire, by one of its runs", func(ctx context.Context, c *client.Client, id string) (api.Run, error) {
			return c.Approve(ctx, id)
		}),
		newKeep(e), newSkip(e), newReload(e), newBackup(e), newOverrides(e), newRelease(e), newLogin(e, config), newAccounts(e, config), newNotify(e, config), newSchema(e), newVersion(e), newHealthcheck(e),
	)
	root.SetFlagErrorFunc(flagProblem)
	addGuides(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	addCompletion(root, e)
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
		switch c.Name() {
		case "completion":
			c.RunE = func(*cobra.Command, []string) error { return usage("completion: want bash, zsh, fish or powershell") }
		case "help":
			c.Args = helpTopic
		}
	}
	return root
}

// helpTopic refuses help on a command that does not exist.
func helpTopic(c *cobra.Command, args []string) error {
	if _, rest, err := c.Root().Find(args); err != nil || len(rest) > 0 {
		return usage("no help on %s; see 'curfew --help'", strings.Join(args, " "))
	}
	return nil
}

// noCommand reports a command that does not exist.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "; see '" + c.CommandPath() + " --help'"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + wording.Or(near) + "?"
	}
	return usage("unknown command %q%s", args[0], hint)
}
