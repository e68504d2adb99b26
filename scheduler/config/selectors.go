package config

import (
	"path"
	"slices"

	"gopkg.in/yaml.v3"
)

const (
	maxSelected = 500_000   // environments selected by all schedules and exceptions
	maxGlobWork = 5_000_000 // names that all globs are matched against
)

// A selection finds environments by selectors. Indexes are into the environments of
// the file.
type selection struct {
	names   []string
	byName  map[string]int
	byTag   map[string][]int
	tags    []string // ascending
	globs   map[string][]int
	partial bool // an environment could not be read: an unknown name may be its
	left    int  // environments that may still be selected
	work    int  // names that globs may still be matched against
}

func newSelection(environments []Environment, partial bool) *selection {
	s := &selection{
		byName: map[string]int{}, byTag: map[string][]int{}, globs: map[string][]int{},
		partial: partial, left: maxSelected, work: maxGlobWork,
	}
	for i, e := range environments {
		s.names = append(s.names, e.Name)
		if e.Name != "" {
			s.byName[e.Name] = i
		}
		for _, tag := range e.Tags {
			if s.byTag[tag] == nil {
				s.tags = append(s.tags, tag)
			}
			s.byTag[tag] = append(s.byTag[tag], i)
		}
	}
	slices.Sort(s.tags)
	return s
}

// selected returns the environments that the key environments of f selects, in file
// order and each once.
func (d *decoder) selected(f *fields) []string {
	s := d.selection
	var found []int
	for _, n := range f.oneOrMore("environments") {
		if tag := valueOf(n, "tag"); tag != "" && len(n.Content) == 2 {
			d.errorf(n, msgTagSpace, cut(tag))
			continue
		}
		selector, ok := d.text(n, "environments", f.section.key("environments").want)
		if ok {
			found = append(found, d.match(n, selector)...)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if s.left < 0 {
		return nil // reported
	}
	if s.left -= len(found); s.left < 0 {
		d.errorf(f.node, msgSelection, maxSelected)
		return nil
	}
	names := make([]string, len(found))
	for i, at := range found {
		names[i] = s.names[at]
	}
	return names
}

// match returns the environments of one selector of the file.
func (d *decoder) match(n *yaml.Node, selector string) []int {
	found, wrong := d.find(selector)
	if wrong != nil {
		m := wrong.message
		d.errorf(n, m, wrong.args...)
	}
	return found
}

func (s *selection) glob(pattern string) (found []int, ok bool) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, false
	}
	if found, ok := s.globs[pattern]; ok {
		return found, true
	}
	if s.work -= len(s.names); s.work < 0 {
		s.left = -1
		return nil, true
	}
	for i, name := range s.names {
		if match, err := path.Match(pattern, name); err == nil && match && name != "" {
			found = append(found, i)
		}
	}
	s.globs[pattern] = found
	return found, true
}
