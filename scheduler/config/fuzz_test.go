package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"curfew/internal/longtest"
)

// perMiB is the processor time that a file may take to be read or refused, plus a start
// of the same length for small ones. It bounds no performance, which is a benchmark's: reading that goes
// through the file once for each of its lines takes minutes.
const perMiB = 20 * time.Second

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no files in testdata: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	broken, err := txtar.ParseFile("testdata/faults.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range broken.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		began := cpuTime()
		cfg, diags := Parse("fuzz.yaml", src, t.TempDir(), Options{Now: now()})
		limit := perMiB + perMiB*time.Duration(len(src))/(1<<20)
		if took := cpuTime() - began; took > limit {
			t.Errorf("reading %d bytes took %v, want at most %v", len(src), took, limit)
		}
		if (cfg == nil) != diags.HasErrors() {
			t.Errorf("config %v with %v", cfg != nil, diags)
		}
		for _, d := range diags {
			if d.Line < 1 || d.Column < 1 || d.Message == "" || strings.Contains(d.Message, "%!") && !bytes.Contains(src, []byte("%")) {
				t.Errorf("strange problem: %#v", d)
			}
		}
	})
}

// TestLargeFiles holds the time bound against what is slow to read by design.
func TestLargeFiles(t *testing.T) {
	size := 2 << 20
	if raceEnabled {
		size = longtest.Or(32, 128) << 10
	}
	head := "version: 1\ntimezone: UTC\n"
	fill := func(head, entry string) []byte {
		return []byte(head + strings.Repeat(entry, (size-len(head))/len(entry)))
	}
	random := bytes.Repeat([]byte("a: [b, {c: d}]\n- 'x\n\"y\"# z\n"), size/30)
	tests := map[string][]byte{
		"unknown keys":       fill("", "timezonee: UTC\n"),
		"lists":              fill("a: ", "["),
		"mappings":           fill("a: ", "{"),
		"flow":               fill("a: [", "[],"),
		"question marks":     fill("", "? "),
		"hyphens":            fill("", "- "),
		"colons":             fill("", "a:\n"),
		"comments":           fill(head, "# x\n"),
		"comments in a list": fill("a:\n", "- b # x\n# y\n\n"),
		"one long text":      fill("a: ", "x"),
		"one long key":       fill("", "x"),
		"quotes":             fill("a: \"", "\\n"),
		"anchors":            fill("a: [", "&a x, *a, "),
		"spaces":             fill("a: ", " "),
		"blank lines":        fill(head, "\n"),
		"junk":               random,
		"environments":       fill(head+"environments:\n", "- {name: dev, project: p, id: 55eb4327-9346-4c7b-82bd-fe8ef15112c6}\n"),
		"unknown projects":   fill(head+"projects: [{name: abcdefgh, id: 1, account: a}]\nenvironments:\n", "- {project: abcdefgi}\n"),
		"schedules":          fill(head+"schedules:\n", "- {name: a, environments: [\"*\", \"a*\"], uptime: [mon 07:00-19:00, tue 07:00-19:00]}\n"),
		"exceptions":         fill(head+"exceptions:\n", "- {environments: a, from: 0001-01-01, until: 9999-12-31, uptime: mon 07:00-08:00}\n"),
		"dates":              fill(head+"calendars:\n", "- {name: a, dates: [0001-01-01/9999-12-31]}\n"),
		"regions":            fill(head+"calendars:\n", "- {name: a, country: CH, region: AG}\n"),
		"unknown countries":  fill(head+"calendars:\n", "- {name: a, country: INX}\n"),
		"choices of events":  fill(head+"calendars:\n", "- {name: a, ics: {file: a.ics, only: \"*a*\"}}\n"),
		"zones":              fill(head+"schedules:\n", "- {timezone: Europe/Copenhage}\n"),
	}
	for name, src := range tests {
		t.Run(name, func(t *testing.T) {
			began := cpuTime()
			_, diags := Parse("large.yaml", src, t.TempDir(), Options{Now: now()})
			took := cpuTime() - began
			if limit := perMiB + perMiB*time.Duration(size)/(1<<20); took > limit && !raceEnabled {
				t.Errorf("reading took %v, want at most %v", took, limit)
			}
			t.Logf("%v, %d problems", took.Round(time.Millisecond), len(diags))
		})
	}
}

// TestManyEntries reads the largest files that are right.
func TestManyEntries(t *testing.T) {
	src := made()["many-rules"]
	began := cpuTime()
	cfg, diags := Parse("many.yaml", src, ".", Options{Now: now()})
	if took := cpuTime() - began; cfg == nil || took > 2*perMiB && !raceEnabled {
		t.Errorf("reading %d bytes took %v with %d problems", len(src), took, len(diags))
	}
}
