package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandHasAGroupAndExamples reads the examples as the shell and cobra would.
func TestEveryCommandHasAGroupAndExamples(t *testing.T) {
	root := newRoot(env{strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }})
	used := map[string]bool{}
	eachCommand(root, func(c *cobra.Command) {
		path := shortPath(c)
		if c.Hidden || strings.HasPrefix(path, "completion") || path == "help" {
			return
		}
		used[path] = true
		if c.Parent() == root && c.GroupID == "" {
			t.Errorf("%s is in no group of the help", path)
		}
		examples := strings.Split(c.Example, "\n")
		if c.Example == "" || len(examples) > 3 {
			t.Errorf("%s has %d examples, want 1 to 3", path, len(examples))
		}
		for _, example := range examples {
			_, words, ok := strings.Cut(example, "curfew "+path)
			if !ok {
				t.Errorf("%s: the example %q is of another command", path, example)
				continue
			}
			checkExample(t, c, strings.Fields(strings.ReplaceAll(strings.ReplaceAll(words, "\"", ""), "'", "")))
		}
	})
	for path := range guides {
		if !used[path] {
			t.Errorf("the help has a guide to %s, which is no command", path)
		}
	}
}

// checkExample fails the test unless each flag of an example exists.
func checkExample(t *testing.T, c *cobra.Command, words []string) {
	t.Helper()
	for _, word := range words {
		name, isLong := strings.CutPrefix(word, "--")
		short, isShort := strings.CutPrefix(word, "-")
		if isLong && c.Flag(name) == nil || !isLong && isShort && c.Flags().ShorthandLookup(short) == nil {
			t.Errorf("%s: an example has the flag %s, which does not exist", c.CommandPath(), word)
		}
	}
}
