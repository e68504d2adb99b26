package config

import (
	"path"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"gopkg.in/yaml.v3"

	"curfew/scheduler/zone"
)

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
	loc, err := zone.Load(name)
	if err != nil {
		d.noZone(n, name)
		return nil
	}
	if zone.Fixed(name) {
		turned := ""
		if utc := zone.UTCName(name); utc != "" {
			turned = ", and its sign is turned: it is " + utc
		}
		d.warnf(n, msgZoneFixed, name, turned, wantZone)
	}
	return loc
}

// fileZone reads the zone of the file. Without one, it is that of all schedules if they
// have the same.
func (d *decoder) fileZone(f *fields) *time.Location {
	if f.has("timezone") {
		return d.zone(f)
	}
	schedules := f.values["schedules"]
	if schedules == nil || schedules.Kind != yaml.SequenceNode || len(schedules.Content) == 0 {
		return nil
	}
	common := ""
	for _, entry := range schedules.Content {
		name := valueOf(entry, "timezone")
		if name == "" || common != "" && name != common {
			return nil
		}
		common = name
	}
	loc, err := zone.Load(common)
	if err != nil {
		return nil // reported at each schedule
	}
	return loc
}

// valueOf is the text of a key of a mapping that has not been checked, or "".
func valueOf(n *yaml.Node, key string) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// noZone reports a name that is no zone, with the zone that it stands for.
func (d *decoder) noZone(n *yaml.Node, name string) {
	if strings.EqualFold(name, "local") || name == "localtime" {
		d.errorf(n, msgZoneLocal, name, wantZone)
		return
	}
	if iana, ok := zone.FromWindows(name); ok {
		d.errorf(n, msgZoneWindows, cut(name), iana)
		return
	}
	if utc, same, ok := zone.Offset(name); ok {
		if same != "" {
			same = ", or " + same + " for " + utc + " all year"
		}
		d.errorf(n, msgZoneOffset, cut(name), wantZone, same)
		return
	}
	best, ok := zone.City(name)
	if !ok {
		best = d.misspeltZone(name)
	}
	if best == "" {
		d.errorf(n, msgZone, cut(name), "want "+wantZone)
		return
	}
	d.errorf(n, msgZone, cut(name), "did you mean \""+best+"\"?")
}

// misspeltZone returns the zone whose name differs from this one by a letter or two.
// Short names are not compared: PST is no misspelling of EST. A name that is near to
// two zones stands for neither.
func (d *decoder) misspeltZone(name string) string {
	const shortest = 5
	folded := strings.ToLower(strings.ReplaceAll(name, " ", "_"))
	names, letters := zone.Names(), len(path.Base(folded))
	if letters < shortest || !d.maySpell(folded, len(names)) {
		return ""
	}
	limit := min(2, letters/4)
	best, least := "", limit+1
	for _, candidate := range names {
		c := strings.ToLower(candidate)
		if !strings.Contains(folded, "/") {
			c = path.Base(c)
		}
		switch distance := levenshtein.ComputeDistance(folded, c); {
		case distance < least:
			best, least = candidate, distance
		case distance == least && distance <= limit && path.Base(best) != path.Base(candidate):
			best = ""
		}
	}
	return best
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
