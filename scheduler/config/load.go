package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"curfew/internal/files"
	"curfew/scheduler/calendar"
	"curfew/scheduler/plan"
)

// Load reads the schedule file at path. The Config is nil when there are errors.
func Load(path string, opts Options) (*Config, Diagnostics) {
	d := newDecoder(path, filepath.Dir(path), opts)
	src, err := files.Read(path, maxBytes)
	switch {
	case errors.Is(err, files.ErrDirectory):
		d.fileError(msgDirectory)
	case err != nil:
		d.fileError(msgCannotRead, cause(err))
	default:
		d.decode(src)
	}
	return d.result()
}

// Parse reads src, the content of a schedule file. Problems are reported under
// name, and relative paths in it are relative to dir. The Config is nil when there
// are errors.
func Parse(name string, src []byte, dir string, opts Options) (*Config, Diagnostics) {
	d := newDecoder(name, dir, opts)
	d.decode(src)
	return d.result()
}

// cause is what the system says of a file, without its path, which is known.
func cause(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

func newDecoder(file, dir string, opts Options) *decoder {
	return &decoder{
		file: file, dir: dir, opts: opts,
		cfg:          &Config{Path: file, Dir: dir, Files: []string{file}},
		accounts:     newNames("account"),
		projects:     newNames("project"),
		environments: newNames("environment"),
		calendars:    newNames("calendar"),
		spellings:    maxSpellings,
		patterns:     map[string]*regexp.Regexp{},
		texts:        map[string]string{},
		built:        map[string]*plan.Calendar{},
		regions:      map[string][]string{},
		icsFiles:     map[string]*calendar.ICS{},
	}
}

func (d *decoder) result() (*Config, Diagnostics) {
	diags := d.diags.sorted()
	d.addExcerpts(diags)
	if diags.HasErrors() {
		return nil, diags
	}
	return d.cfg, diags
}

// decode reads the whole file. The order of the sections in it does not matter;
// here, what is referred to comes before what refers to it.
func (d *decoder) decode(src []byte) {
	root := d.parseTree(src)
	if root == nil {
		return
	}
	f, ok := d.fields(root, fileSection())
	if !ok || !d.version(f) {
		return
	}
	d.cfg.Location = d.fileZone(f)
	d.cfg.Currency = d.currency(f)
	d.cfg.Defaults = d.defaults(f.values["defaults"])
	d.decodeAccounts(f)
	d.decodeProjects(f)
	d.decodeEnvironments(f)
	d.decodeCalendars(f)
	d.decodeSchedules(f)
	d.decodeExceptions(f)
	d.decodeReceivers(f)
	d.decodeAccess(f)
	if d.diags.HasErrors() {
		return // what a broken entry uses would be reported as unused
	}
	d.warnUnused(d.accounts, "a project that uses it")
	d.warnUnused(d.projects, "an environment that uses it")
	d.warnExceptionsAlone()
	d.warnUnused(d.environments, "a schedule that selects it")
	d.warnUnused(d.calendars, "a schedule that uses it")
	d.warnEndedCalendars()
	d.lookAhead()
}

// version reports whether the file is of a version that can be read. Of another
// version, nothing else can be judged.
func (d *decoder) version(f *fields) bool {
	n := f.values["version"]
	if n == nil {
		return true // reported as missing
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Value != "1" {
		what := cut(n.Value)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
			what = "that is " + kindOf(n)
		}
		d.diags = nil // unknown keys may be known in that version
		d.errorf(n, msgVersion, what)
		return false
	}
	return true
}

// maxCurrency bounds the display text of costs, in characters.
const maxCurrency = 8

func (d *decoder) currency(f *fields) string {
	s := f.text("currency")
	if utf8.RuneCountInString(s) > maxCurrency {
		d.errorf(f.values["currency"], msgCurrency, cut(s), maxCurrency)
	}
	return s
}

// eachEntry calls read for each entry of a list of the file.
func (d *decoder) eachEntry(f *fields, key string, s section, read func(*fields)) {
	for _, n := range f.list(key) {
		if entry, ok := d.fields(n, s); ok {
			read(entry)
		}
	}
}

// isPartial reports whether names of a section may be missing for being broken.
func isPartial(f *fields, key string) bool {
	n := f.values[key]
	if n == nil {
		return f.has(key)
	}
	if n.Kind != yaml.SequenceNode {
		return true
	}
	for _, c := range n.Content {
		if c.Kind != yaml.MappingNode {
			return true
		}
	}
	return false
}

// absolute is path as seen from the directory of the schedule file. On Windows, a
// path such as /run/secrets has no drive and is not below that directory all the same.
func (d *decoder) absolute(path string) string {
	if filepath.IsAbs(path) || path != "" && os.IsPathSeparator(path[0]) {
		return path
	}
	return filepath.Join(d.dir, path)
}
