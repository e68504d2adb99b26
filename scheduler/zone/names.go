package zone

import (
	_ "embed"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The zone of each name of Windows, by Unicode CLDR, and of each large city, the
// largest of a name first; and the display names of Windows that name no city.
var (
	//go:embed data/windows.txt
	windowsNames string
	//go:embed data/cities.txt
	cityNames string
	//go:embed data/regions.txt
	regionNames string
)

// dictionary are these tables, by names in lower case.
type dictionary struct {
	windows, regions map[string]string
	cities           map[string][]string
}

var words = sync.OnceValue(func() dictionary {
	d := dictionary{windows: map[string]string{}, regions: map[string]string{}, cities: map[string][]string{}}
	eachPair(windowsNames, func(name, zone string) { d.windows[name] = zone })
	eachPair(regionNames, func(name, windows string) { d.regions[name] = windows })
	// A zone that bears the name of the city comes before any other city of that name.
	// Zones of these regions bear names such as Pacific and General.
	noCities := []string{"Etc", "US", "Canada", "Mexico", "Brazil", "Chile", "SystemV"}
	for _, zone := range embedded().names {
		if region, city, ok := strings.Cut(zone, "/"); ok && !slices.Contains(noCities, region) {
			city = spaced(path.Base(city))
			d.cities[city] = append(d.cities[city], zone)
		}
	}
	eachPair(cityNames, func(name, zone string) {
		city := spaced(name)
		d.cities[city] = append(d.cities[city], zone)
	})
	return d
})

func eachPair(table string, add func(key, value string)) {
	for line := range strings.Lines(table) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && !strings.HasPrefix(line, "#") {
			add(strings.ToLower(key), value)
		}
	}
}

// spaced writes a name as tables have it: lower case, with single blanks.
func spaced(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '_' || r == '\u00a0' || r == '\t' }), " "))
}

// FromWindows returns the IANA zone that Unicode CLDR's table has for a name of
// Windows, such as W. Europe Standard Time. For a display name, such as
// (UTC+01:00) Brussels, Copenhagen, it is that of one of its cities.
func FromWindows(name string) (zone string, ok bool) {
	if m := isDisplay.FindStringSubmatch(strings.TrimSpace(name)); m != nil {
		return fromDisplay(m[1], m[2])
	}
	d, name := words(), spaced(name)
	for _, season := range []string{" daylight time", " summer time"} {
		if rest, found := strings.CutSuffix(name, season); found {
			name = rest + " standard time"
		}
	}
	if region, known := d.regions[name]; known && strings.Contains(name, " time") {
		name = strings.ToLower(region)
	}
	zone, ok = d.windows[name]
	return zone, ok
}

var (
	isDisplay = regexp.MustCompile(`^\((?:UTC|GMT)\s*([+\-−]\d{1,2}:?(?:\d\d)?)?\)\s*(\S.*)$`)
	isOffset  = regexp.MustCompile(`(?i)^(?:UTC|GMT|Z)?\s*([+\-−])\s*(\d{1,2})(?::?(\d\d))?$`)
)

// fromDisplay returns the zone of a display name: that of its region, or of its first
// city that has the offset.
func fromDisplay(offset, places string) (zone string, ok bool) {
	d := words()
	if windows, known := d.regions[spaced(places)]; known {
		return d.windows[strings.ToLower(windows)], true
	}
	seconds := 0
	if offset != "" {
		seconds, _ = offsetOf(offset)
	}
	for city := range strings.SplitSeq(places, ",") {
		for _, zone := range d.cities[spaced(city)] {
			if has(zone, seconds) {
				return zone, true
			}
		}
	}
	return "", false
}

// offsetOf reads an offset such as GMT+1 or +05:30, in seconds.
func offsetOf(name string) (seconds int, ok bool) {
	m := isOffset.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	hours, _ := strconv.Atoi(m[2]) // two digits are a number
	minutes, _ := strconv.Atoi(m[3])
	seconds = hours*3600 + minutes*60
	if m[1] != "+" {
		seconds = -seconds
	}
	return seconds, true
}

// has reports whether a zone has an offset in winter or in summer, by the rules that
// its data has for the year after its release.
func has(zone string, seconds int) bool {
	loc, err := Load(zone)
	if err != nil {
		return false
	}
	release, _ := Data()
	year, _ := strconv.Atoi(release[:4]) // a release begins with its year
	for _, month := range []time.Month{time.January, time.July} {
		if _, offset := time.Date(year+1, month, 1, 0, 0, 0, 0, loc).Zone(); offset == seconds {
			return true
		}
	}
	return false
}

// City returns the zone of a city, which may stand alone or after a region, as in
// Asia/Beijing. Of cities of one name it is the one in that region, or the largest.
func City(name string) (zone string, ok bool) {
	region, _, cut := strings.Cut(name, "/")
	zones := words().cities[spaced(path.Base(name))]
	if len(zones) == 0 {
		return "", false
	}
	for _, z := range zones {
		if cut && strings.HasPrefix(strings.ToLower(z), strings.ToLower(region)+"/") {
			return z, true
		}
	}
	return zones[0], true
}

// Offset returns, for an offset such as GMT+1, its usual form and the zone that has it
// all year, "" where there is none.
func Offset(name string) (utc, zone string, ok bool) {
	seconds, ok := offsetOf(strings.TrimSpace(name))
	if !ok {
		return "", "", false
	}
	sign, turnedSign, distance := "+", "-", seconds
	if seconds < 0 {
		sign, turnedSign, distance = "-", "+", -seconds
	}
	hours, minutes := strconv.Itoa(distance/3600), distance%3600/60
	if minutes != 0 {
		return "UTC" + sign + hours + ":" + strconv.Itoa(100 + minutes)[1:], "", true
	}
	zone = "Etc/GMT" + turnedSign + hours
	if distance == 0 {
		zone = "UTC"
	}
	if _, err := Load(zone); err != nil {
		zone = ""
	}
	return "UTC" + sign + hours, zone, true
}
