// Package zone loads time zones. It uses the newest zone data there is: that of the
// host, or that which the binary carries, since the rules of zones change several
// times a year. It also knows what names that are no zones of IANA stand for: those
// of Windows, cities and offsets.
package zone

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// machine is the zone data of this machine. It is opened once, and does not change
// while the process runs.
var machine = sync.OnceValue(func() *database { return newest(embedded(), hosts()) })

// Load returns the IANA zone of a name. Names that depend on the machine, such as
// Local, are no zones here, nor is Factory, which marks a machine not set up.
func Load(name string) (*time.Location, error) { return machine().load(name) }

// Names are the names of all zones, sorted.
func Names() []string { return machine().names }

// Data is the release of the zone data in use, such as 2026f, and where it comes
// from.
func Data() (release, source string) { return machine().release, machine().source }

// A database is one release of the zone data.
type database struct {
	files           fs.FS
	release, source string
	names           []string
	folded          map[string]string // the names in lower case
	loaded          sync.Map          // string to *time.Location
}

func (d *database) load(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	if known, ok := d.loaded.Load(name); ok {
		return known.(*time.Location), nil
	}
	// A file system that ignores case must not make names valid that others refuse.
	exact, known := d.folded[strings.ToLower(name)]
	if !fs.ValidPath(name) || known && exact != name || !known && !plausible(name) {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	rules, err := fs.ReadFile(d.files, name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	loc, err := time.LoadLocationFromTZData(name, rules)
	if err != nil {
		return nil, fmt.Errorf("the rules of time zone %q cannot be read from the %s zone data: %w", name, d.source, err)
	}
	got, _ := d.loaded.LoadOrStore(name, loc)
	return got.(*time.Location), nil
}

// plausible reports whether a name that the binary does not carry may be a zone that
// a newer host has. Of the other files next to the zones none has a directory of
// these names.
func plausible(name string) bool {
	region, _, ok := strings.Cut(name, "/")
	return ok && region != "posix" && region != "right"
}

// Fixed reports whether a zone has the same offset all year and is not of a place:
// EST, MST, HST, and those of Etc but UTC itself.
func Fixed(name string) bool {
	switch name {
	case "EST", "MST", "HST":
		return true
	}
	_, offset, ok := turned(name)
	return ok && offset != 0
}

// turned takes a name such as Etc/GMT-2 apart: UTC+2, and its offset in hours.
func turned(name string) (utc string, hours int, ok bool) {
	rest, ok := strings.CutPrefix(name, "Etc/GMT")
	if !ok {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(rest, "%d", &hours); err != nil {
		return "", 0, false
	}
	return fmt.Sprintf("UTC%+d", -hours), -hours, true
}

// UTCName is what a zone such as Etc/GMT-2 means, whose sign is turned: UTC+2. It is
// "" for other zones.
func UTCName(name string) string {
	utc, _, _ := turned(name)
	return utc
}
