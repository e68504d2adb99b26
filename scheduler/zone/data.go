package zone

import (
	"archive/zip"
	"bufio"
	"bytes"
	_ "embed"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// The zone data that the binary carries. The comment of the archive is its release.
//
//go:generate make -C ../.. zones
//go:embed data/zoneinfo.zip
var archive []byte

// isRelease matches the names of IANA's releases, which sort as text.
var isRelease = regexp.MustCompile(`^(?:19|20)\d\d[a-z]{1,2}$`)

// embedded opens the zone data of the binary.
func embedded() *database {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic("the zone data of the binary is damaged: " + err.Error())
	}
	d := &database{files: r, release: r.Comment, source: "embedded"}
	d.folded = make(map[string]string, len(r.File))
	for _, f := range r.File {
		d.names = append(d.names, f.Name)
		d.folded[strings.ToLower(f.Name)] = f.Name
	}
	slices.Sort(d.names)
	return d
}

// A host is a directory in which a system keeps its zone data.
type host struct {
	files fs.FS
	path  string
}

// hosts are the directories of this machine. As for other programs of Go, the
// variable ZONEINFO names one in addition.
func hosts() []host {
	var all []host
	for _, path := range []string{os.Getenv("ZONEINFO"), "/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"} {
		if path != "" {
			all = append(all, host{os.DirFS(path), path})
		}
	}
	return all
}

// newest returns the newest release of what the binary and the hosts have. A host
// that does not say which release it has is left out: it may be years old.
func newest(own *database, hosts []host) *database {
	best := own
	for _, h := range hosts {
		if r := releaseOf(h.files); r > best.release {
			best = &database{files: h.files, release: r, source: h.path, names: own.names, folded: own.folded}
		}
	}
	return best
}

// releaseOf reads the release of a directory: BSD and macOS have a file for it,
// others have the source of the zones, whose first line says it.
func releaseOf(files fs.FS) string {
	for _, name := range []string{"+VERSION", "tzdata.zi"} {
		if r := strings.TrimSpace(strings.TrimPrefix(firstLine(files, name), "# version ")); isRelease.MatchString(r) {
			return r
		}
	}
	return ""
}

func firstLine(files fs.FS, name string) string {
	f, err := files.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Scan()
	return lines.Text()
}
