package config

import (
	_ "embed"
	"path"
	"strings"
	"time"
	_ "time/tzdata" // a container without zones reads the same file in the same way

	"go.yaml.in/yaml/v4"
)

// zoneNames are the names of the IANA zones, one a line, for "did you mean". A zone
// that is missing from it can be used all the same.
//
//go:embed zones.txt
var zoneNames string

// zone reads the timezone of a mapping; nil when it has none or a broken one.
func (d *decoder) zone(f *fields) *time.Location {
	n := f.values["timezone"]
	if n == nil {
		return nil
	}
	name, ok := d.text(n, "timezone", wantZone)
	if !ok {
		return nil
	}
	if strings.EqualFold(name, "local") {
		d.errorf(n, msgZoneLocal, name, wantZone)
		return nil
	}
	loc := d.location(name)
	if loc == nil {
		d.errorf(n, msgZone, cut(name), d.nearZone(name))
	}
	return loc
}

// location loads a zone once. Names with other parts than letters, digits and
// + - _ / could be paths.
func (d *decoder) location(name string) *time.Location {
	if loc, ok := d.zones[name]; ok {
		return loc
	}
	loc, err := time.LoadLocation(name)
	if err != nil || strings.HasPrefix(name, "posix") || strings.HasPrefix(name, "right/") || path.Clean(name) != name {
		loc = nil
	}
	d.zones[name] = loc
	return loc
}

// nearZone returns which zone was probably meant: some write the city alone.
func (d *decoder) nearZone(name string) string {
	if d.cities == nil {
		d.cities, d.allZones = map[string]string{}, strings.Fields(zoneNames)
		for _, zone := range d.allZones {
			d.cities[strings.ToLower(path.Base(zone))] = zone
		}
	}
	best := d.cities[strings.ToLower(strings.ReplaceAll(name, " ", "_"))]
	if best == "" {
		best = d.nearest(name, d.allZones)
	}
	if best == "" {
		return "want " + wantZone
	}
	return "did you mean \"" + best + "\"?"
}

// zoneOr reads the timezone of an entry, or takes that of the file. It is nil after
// an error; an entry of a file whose own zone is broken has been reported with it.
func (d *decoder) zoneOr(f *fields, file *yaml.Node, title string) *time.Location {
	if f.has("timezone") {
		return d.zone(f)
	}
	if d.cfg.Location == nil && file == nil {
		d.errorf(f.node, msgNoZone, title)
	}
	return d.cfg.Location
}
