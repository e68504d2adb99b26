package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"curfew/lcs"
)

const (
	defaultRegion = "us"
	wantID        = "a GUID such as 55eb4327-9346-4c7b-82bd-fe8ef15112c6, or 32 hexadecimal digits"
)

func (d *decoder) decodeProjects(f *fields) {
	d.projects.partial = isPartial(f, "projects")
	first, clouds := map[string]string{}, map[string]Project{}
	d.eachEntry(f, "projects", projectSection(), func(f *fields) {
		p := Project{
			Name:     d.define(f, d.projects),
			ID:       int64(f.number("id")),
			Accounts: d.accountsOf(f),
			Region:   f.enum("region", defaultRegion),
			Endpoint: d.address(f, "endpoint"),
			Scope:    f.text("scope"),
		}
		if n := f.values["region"]; n != nil && f.has("endpoint") {
			d.warnf(n, msgRegionUnused)
		}
		if p.Endpoint == "" {
			p.Endpoint, _ = lcs.Endpoint(p.Region)
		}
		d.cfg.Projects = append(d.cfg.Projects, p)
		d.checkClouds(f, p, clouds)
		if p.Name == "" || p.ID == 0 {
			return
		}
		key := fmt.Sprintf("%d %s", p.ID, strings.ToLower(p.Endpoint))
		if other := first[key]; other != "" {
			d.errorf(f.values["id"], msgSameProject, p.Name, other, d.projects.places[other].Line)
			return
		}
		first[key] = p.Name
	})
}

// checkClouds refuses an account for two clouds: a tenant is in one of them.
func (d *decoder) checkClouds(f *fields, p Project, first map[string]Project) {
	if p.Name == "" || f.has("endpoint") {
		return
	}
	for _, name := range p.Accounts {
		other, known := first[name]
		if !known {
			first[name] = p
		} else if cloud := lcs.Cloud(other.Region); cloud != lcs.Cloud(p.Region) {
			d.errorf(f.values["account"], msgTwoClouds, name, cloud, other.Name, d.projects.places[other.Name].Line, lcs.Cloud(p.Region))
		}
	}
}

func (d *decoder) decodeEnvironments(f *fields) {
	d.environments.partial = isPartial(f, "environments")
	first := map[string]string{}
	d.eachEntry(f, "environments", environmentSection(), func(f *fields) {
		e := Environment{Name: d.define(f, d.environments), CostPerHour: f.number("cost_per_hour")}
		if n := f.values["project"]; n != nil {
			e.Project, _ = d.refer(n, d.projects)
		}
		e.Tags = d.tags(f)
		e.ID = d.environmentID(f)
		d.cfg.Environments = append(d.cfg.Environments, e)
		if e.Name == "" || e.Project == "" || e.ID == "" {
			return
		}
		key := e.Project + " " + strings.ToLower(strings.ReplaceAll(e.ID, "-", ""))
		if other := first[key]; other != "" {
			d.errorf(f.values["id"], msgSameEnvironment, e.Name, other, d.environments.places[other].Line)
			return
		}
		first[key] = e.Name
	})
	d.selection = newSelection(d.cfg.Environments, d.environments.partial)
}

// environmentID reads an id. One of digits alone looks like a number to YAML.
func (d *decoder) environmentID(f *fields) string {
	n := f.values["id"]
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || !d.matches(idPattern, n.Value) {
		what := cut(n.Value)
		if n.Kind != yaml.ScalarNode {
			what = kindOf(n)
		}
		d.errorf(n, msgEnvironmentID, what, wantID)
		return ""
	}
	return n.Value
}

func (d *decoder) tags(f *fields) []string {
	var tags []string
	for _, n := range f.list("tags") {
		tag, ok := d.text(n, "tag", wantName)
		tag = Normal(tag)
		switch {
		case !ok:
			d.environments.partial = true
		case !validName(tag):
			d.errorf(n, msgBadTag, cut(tag), wantName)
			d.environments.partial = true
		case !slices.Contains(tags, tag):
			tags = append(tags, d.once(tag))
		}
	}
	return tags
}
