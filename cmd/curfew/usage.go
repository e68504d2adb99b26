package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageArgs gives a wrong number of arguments the exit code of usage, and says what is wanted.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check == nil {
			check = cobra.NoArgs
		}
		err := check(c, args)
		if _, is := errors.AsType[coded](err); is || err == nil {
			return err
		}
		name, want, takes := strings.Cut(c.Use, " ")
		switch {
		case !takes:
			return usage("%s takes no arguments, and was given %q; see '%s --help'", name, args[0], c.CommandPath())
		case len(args) == 0:
			return usage("%s: want %s; see '%s --help'", name, want, c.CommandPath())
		}
		return usage("%s: want %s, and was given %s; see '%s --help'", name, want, count(len(args), "argument"), c.CommandPath())
	}
}

// flagError says what a flag wants, in words of the command line.
func flagError(err error) string {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	f := bad.GetFlag()
	want := ""
	switch value, listed := f.Value.(*output); {
	case listed:
		want = strings.Join(value.forms, " or ")
	case f.Value.Type() == "bool":
		want = "true or false"
	case f.Value.Type() == "duration":
		want = "a duration such as 90s, 5m or 2h"
	case strings.Contains(f.Value.Type(), "int"):
		want = "a whole number"
	default:
		return err.Error()
	}
	return fmt.Sprintf("--%s: cannot read %q; want %s", f.Name, bad.GetValue(), want)
}
