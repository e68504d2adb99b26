package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"curfew/internal/wording"
)

// usageArgs says what a command takes where it was given something else.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		form, what := argumentsOf(c)
		switch {
		case what == "" && c.HasSubCommands():
			c.SuggestionsMinimumDistance = 2
			return noCommand(c, args)
		case what == "":
			return usage("%s takes no arguments, and %q is one; see '%s --help'", shortPath(c), args[0], c.CommandPath())
		case len(args) == 0:
			return usage("name %s: %s %s", what, c.CommandPath(), form)
		}
		return usage("%s takes %s, and got %s: %s %s", shortPath(c), what, wording.Count(len(args), "argument"), c.CommandPath(), form)
	}
}

// shortPath is a command's path without curfew.
func shortPath(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "curfew ") }

// argumentsOf returns a command's arguments as its usage line has them, and in words.
func argumentsOf(c *cobra.Command) (form, words string) {
	nouns := map[string]string{"RUN": "run", "ID": "override", "ACCOUNT": "account", "FILE": "file", "ENVIRONMENT": "environment"}
	_, form, _ = strings.Cut(c.Use, " ")
	form, _, _ = strings.Cut(form, " --")
	if form == "OLD NEW" {
		return form, "two files"
	}
	name, many := strings.CutSuffix(strings.Trim(form, "[]"), "…")
	switch noun := nouns[name]; {
	case noun == "":
		return form, ""
	case many:
		return form, "one " + noun + " or more"
	default:
		return form, "one " + noun
	}
}

// flagProblem says in plain words what is wrong with a flag.
func flagProblem(c *cobra.Command, err error) error {
	help := "; see '" + c.CommandPath() + " --help'"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := e.GetSpecifiedName()
		if e.GetSpecifiedShortnames() != "" {
			return usage("%s has no flag -%s%s", shortPath(c), name, help)
		}
		return usage("%s has no flag --%s%s%s", shortPath(c), name, nearFlag(c, name), help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value%s%s", e.GetFlag().Name, wantOf(e.GetFlag()), help)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("--%s: %q is not known%s%s", e.GetFlag().Name, e.GetValue(), wantOf(e.GetFlag()), help)
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usage("%q is no flag%s", e.GetSpecifiedFlag(), help)
	}
	return usage("%w%s", err, help)
}

// wantOf says which values a flag takes, "" when its help says more.
func wantOf(f *pflag.Flag) string {
	switch kind := f.Value.Type(); {
	case strings.Contains(kind, "|"):
		return "; want " + wording.Or(strings.Split(kind, "|"))
	case kind == "int":
		return "; want a whole number"
	case kind == "bool":
		return "; want true or false"
	}
	return ""
}

func nearFlag(c *cobra.Command, name string) string {
	best, least := "", len(name)/3+1
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if d := levenshtein.ComputeDistance(name, f.Name); !f.Hidden && d <= least && (best == "" || d < least) {
			best, least = f.Name, d
		}
	})
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean --%s?", best)
}
