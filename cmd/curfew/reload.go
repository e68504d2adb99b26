package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"curfew/scheduler/web/client"
)

// newReload is the command; the daemon does the work.
func newReload(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "reload", Short: "Has the daemon read its schedule file again, and says what changed",
		Long: "Has the daemon read its schedule file again, and says what changed. A file with errors is not loaded: the\n" +
			"daemon goes on with the old one, and the exit code is 3.",
	}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		changes, err := remote.Reload(c.Context())
		if refused, ok := errors.AsType[*client.Refusal](err); ok && refused.Status == http.StatusUnprocessableEntity {
			return coded{fmt.Errorf("%s\nthe file was not loaded; the daemon goes on with the old one", refused.Detail), exitInvalid}
		}
		switch {
		case err != nil:
			return err
		case form.value == "json":
			return printJSON(e.stdout, changes)
		}
		_, err = fmt.Fprintf(e.stdout, "reloaded: %s\n", changes.Summary)
		return err
	}
	return c
}
