package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"curfew/scheduler/daemon"
	"curfew/scheduler/daemon/demo"
)

func newDemo(e env) *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use: "demo", Short: "Runs the daemon with a built-in LCS simulator; no credentials needed",
		Long: "Runs the daemon with a built-in LCS simulator and a sample schedule file, whose fires come every minute; no\n" +
			"credentials needed. It makes an API token of its own where CURFEW_API_TOKEN is not set, and prints commands to try.",
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), e, o) },
	}
	c.Flags().StringVar(&o.listen, "listen", cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen), "`address` to serve HTTP on (CURFEW_LISTEN)")
	logFlags(c, e, &o)
	return c
}

func runDemo(ctx context.Context, e env, o serveOptions) error {
	log, err := openLog(e.stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	defer log.close()
	served := daemon.Options{Listen: o.listen, Getenv: e.getenv, Logger: log.Logger, LogDropped: log.queue.Count, Version: version}
	return demo.Run(ctx, served, func(a demo.Access) { say(e.stdout, tryOut(a)) })
}

// tryOut is what to try with a demo, as lines to copy into another terminal.
func tryOut(a demo.Access) string {
	variables := [][2]string{{"CURFEW_SERVER", a.Server}, {"CURFEW_CONFIG", a.Config}}
	note := " The API token is that of CURFEW_API_TOKEN here; set it there too."
	if a.TokenFile != "" {
		variables, note = append(variables, [2]string{"CURFEW_API_TOKEN_FILE", a.TokenFile}), ""
	}
	set, alias := "export %s=%s\n", "alias curfew=%s\n"
	if runtime.GOOS == "windows" {
		set, alias = "$env:%s = '%s'\n", "Set-Alias curfew '%s'\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nThis is a demo: nothing real is started or stopped. Its pages are at %s. Try in another terminal:%s\n\n", a.Server, note)
	for _, v := range variables {
		fmt.Fprintf(&b, "    "+set, v[0], v[1])
	}
	if _, err := exec.LookPath("curfew"); err != nil {
		if own, err := os.Executable(); err == nil {
			fmt.Fprintf(&b, "    "+alias, own)
		}
	}
	b.WriteString(`    curfew status
    curfew plan --days 3 --environment 'contoso-*'
    curfew explain contoso-dev-01
    curfew stop fabrikam-sandbox --wait
    curfew keep contoso-dev-01 --running --for 3h --reason "a demo"
    curfew overrides

`)
	return b.String()
}
