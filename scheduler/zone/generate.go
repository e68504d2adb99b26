//go:build ignore

// Renews the data of package zone, from the packages that `make zones` has unpacked
// in a directory: generate DIRECTORY.
package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const out = "scheduler/zone/data/"

func main() {
	dir := os.Args[1]
	for _, step := range []func(dir string) error{zones, windows, cities} {
		if err := step(dir); err != nil {
			log.Fatal(err)
		}
	}
}

// zones packs the compiled zones of Debian's tzdata. The same package makes the same
// archive: names are sorted, and dates are those of the zip format's first day.
func zones(dir string) error {
	root := filepath.Join(dir, "usr/share/zoneinfo")
	source, err := os.ReadFile(filepath.Join(root, "tzdata.zi"))
	if err != nil {
		return err
	}
	first, _, _ := bytes.Cut(source, []byte("\n"))
	release := strings.TrimPrefix(string(first), "# version ")
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range zoneFiles(root) {
		rules, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		f, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := f.Write(rules); err != nil {
			return err
		}
	}
	if err := w.SetComment(release); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Printf("zones: release %s, %d bytes\n", release, archive.Len())
	return os.WriteFile(out+"zoneinfo.zip", archive.Bytes(), 0o644)
}

// zoneFiles are the names of the zones below a directory. Links are files too.
func zoneFiles(root string) []string {
	var names []string
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if e.IsDir() {
			if name == "posix" || name == "right" {
				return filepath.SkipDir
			}
			return err
		}
		rules, _ := os.ReadFile(path)
		machine := name == "localtime" || name == "posixrules" || name == "Factory"
		if bytes.HasPrefix(rules, []byte("TZif")) && !machine {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	slices.Sort(names)
	return names
}

// windows writes the zone of each Windows name that is for the whole world.
func windows(dir string) error {
	var table struct {
		Supplemental struct {
			Version struct {
				Release string `json:"_cldrVersion"`
			}
			WindowsZones struct {
				MapTimezones []struct {
					MapZone struct {
						Windows   string `json:"_other"`
						Zone      string `json:"_type"`
						Territory string `json:"_territory"`
					}
				}
			}
		}
	}
	if err := read(filepath.Join(dir, "cldr-core/supplemental/windowsZones.json"), &table); err != nil {
		return err
	}
	lines := []string{"# windowsZones of Unicode CLDR " + table.Supplemental.Version.Release + ", territory 001; made by make zones."}
	for _, m := range table.Supplemental.WindowsZones.MapTimezones {
		if m.MapZone.Territory == "001" {
			lines = append(lines, m.MapZone.Windows+"\t"+m.MapZone.Zone)
		}
	}
	return write("windows.txt", lines)
}

type city struct {
	Name     string  `json:"city"`
	ASCII    string  `json:"city_ascii"`
	People   float64 `json:"pop"`
	Timezone string  `json:"timezone"`
}

// cities writes the zone of each city of more than 100,000 people, the largest of a
// name first.
func cities(dir string) error {
	var large []city
	var main []struct {
		Name       string   `json:"name"`
		Group      []string `json:"group"`
		MainCities []string `json:"mainCities"`
	}
	if err := read(filepath.Join(dir, "city-timezones/data/cityMap.json"), &large); err != nil {
		return err
	}
	if err := read(filepath.Join(dir, "tzdb/raw-time-zones.json"), &main); err != nil {
		return err
	}
	lines := []string{"# The zones of large cities, from the npm packages city-timezones (simplemaps) and @vvo/tzdb (GeoNames); made by make zones."}
	seen, canonical := map[string]bool{}, map[string]string{}
	add := func(city, zone string) {
		line := city + "\t" + zone
		if city != "" && !seen[line] && filepath.Base(zone) != strings.ReplaceAll(city, " ", "_") {
			lines = append(lines, line)
		}
		seen[line] = true
	}
	for _, z := range main {
		for _, old := range z.Group {
			canonical[old] = z.Name
		}
	}
	slices.SortStableFunc(large, func(a, b city) int { return cmp.Compare(b.People, a.People) })
	for _, c := range large {
		if zone := canonical[c.Timezone]; c.People >= 100_000 && zone != "" {
			add(c.Name, zone)
			add(c.ASCII, zone)
		}
	}
	for _, z := range main {
		for _, city := range z.MainCities {
			add(city, z.Name)
		}
	}
	return write("cities.txt", lines)
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func write(name string, lines []string) error {
	f, err := os.Create(out + name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
