package config

import (
	"errors"
	"fmt"
	"strings"
)

// Select returns the names of the environments that selectors select, by the rules of the
// file: in the order of environments, each once. A selector that selects none is an error.
func Select(environments []Environment, selectors ...string) ([]string, error) {
	d := &decoder{selection: newSelection(environments, false), environments: newNames("environment"), spellings: maxSpellings}
	d.environments.order = d.selection.names
	selected := make([]bool, len(environments))
	var errs []error
	for _, selector := range selectors {
		found, wrong := d.find(selector)
		if wrong != nil {
			errs = append(errs, fmt.Errorf(string(wrong.message), wrong.args...))
		}
		for _, i := range found {
			selected[i] = true
		}
	}
	var names []string
	for i, is := range selected {
		if is {
			names = append(names, environments[i].Name)
		}
	}
	return names, errors.Join(errs...)
}

// A mistake is what is wrong with a selector.
type mistake struct {
	message message
	args    []any
}

// find returns the environments of one selector. None is a mistake: a selector that
// was mistyped must not be taken for one that happens to match nothing.
func (d *decoder) find(selector string) ([]int, *mistake) {
	s := d.selection
	selector = Normal(selector)
	var found []int
	tag, isTag := strings.CutPrefix(selector, "tag:")
	switch {
	case isTag:
		found = s.byTag[tag]
	case IsGlob(selector):
		var ok bool
		if found, ok = s.glob(selector); !ok {
			return nil, &mistake{msgGlob, []any{cut(selector)}}
		}
	default:
		if at, ok := s.byName[selector]; ok {
			found = []int{at}
		}
	}
	if len(found) == 0 && !s.partial {
		return nil, &mistake{msgSelector, []any{cut(selector), d.meantSelector(selector)}}
	}
	return found, nil
}

// IsGlob reports whether a selector is a glob, and not a name or a tag.
func IsGlob(selector string) bool { return strings.ContainsAny(selector, `*?[\`) }

func (d *decoder) meantSelector(selector string) string {
	s := d.selection
	if s.byTag[selector] != nil {
		return "did you mean \"tag:" + selector + "\"?"
	}
	if tag, ok := strings.CutPrefix(selector, "tag:"); ok {
		if best := d.nearest(tag, s.tags); best != "" {
			return "did you mean \"tag:" + best + "\"?"
		}
		return "want tag: and a tag of an environment"
	}
	if best := d.nearest(selector, d.environments.order); best != "" {
		return "did you mean \"" + best + "\"?"
	}
	return "want the name of an environment, a glob or tag:NAME"
}
