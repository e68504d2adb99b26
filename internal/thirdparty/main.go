// Command thirdparty prints the licences of all that is in the binary: of the modules it is
// built of, on any system, of Go itself, and of the files that the repository has from others.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// systems are those that a release is built for.
var systems = []string{"linux", "windows", "darwin"}

// files are what others wrote, outside of modules, and where its licence is.
var files = []notice{{"htmx, a script of the pages", "scheduler/web/pages/static/htmx.js.license"}}

const data = `The time zone data (IANA) is in the public domain. The names of Windows' time zones are from the Unicode CLDR
(Unicode-3.0, https://www.unicode.org/license.txt), those of cities from city-timezones and @vvo/tzdb (MIT).
`

// A notice is a name and the file that has its licence.
type notice struct{ name, file string }

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "thirdparty:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer) error {
	list, err := modules(ctx)
	if err != nil {
		return err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	list = append(list, notice{"the standard library of Go", filepath.Join(strings.TrimSpace(string(root)), "LICENSE")})
	list = append(list, files...)
	out := bytes.NewBufferString("curfew contains the following, under the licences given. Made by: make third-party\n\n" + data)
	for _, n := range list {
		text, err := os.ReadFile(n.file)
		if err != nil {
			return fmt.Errorf("read the licence of %s: %w", n.name, err)
		}
		text = bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\r\n"), []byte("\n"))
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), n.name, text)
	}
	_, err = out.WriteTo(w)
	return err
}

// modules lists the licences of each module of which a package is in the binary.
func modules(ctx context.Context) ([]notice, error) {
	dirs := map[string]string{}
	for _, system := range systems {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module", "./cmd/curfew")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list for %s: %w", system, err)
			}
			if p.Module != nil && !p.Module.Main {
				dirs[p.Module.Path+" "+p.Module.Version] = p.Module.Dir
			}
		}
	}
	var list []notice
	for name, dir := range dirs {
		found, err := licences(name, dir)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.SortFunc(list, func(a, b notice) int { return strings.Compare(a.name+a.file, b.name+b.file) })
	return list, nil
}

var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)(\.(md|txt))?$`)

// licences lists the licences of a module.
func licences(name, dir string) ([]notice, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the files of %s: %w", name, err)
	}
	var list []notice
	for _, e := range entries {
		if !e.IsDir() && licence.MatchString(e.Name()) {
			list = append(list, notice{name, filepath.Join(dir, e.Name())})
		}
	}
	if list == nil {
		return nil, fmt.Errorf("%s has no licence in %s", name, dir)
	}
	return list, nil
}
