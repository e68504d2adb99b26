package config

import (
	"bytes"
	"cmp"
	"flag"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files again")

// now is shortly before the clocks change in Europe.
func now() time.Time { return time.Date(2027, time.March, 20, 12, 0, 0, 0, time.UTC) }

// goldens returns the problems of every file in testdata, and of what cannot be kept
// there, by the name of the golden file.
func goldens(t *testing.T) map[string]Diagnostics {
	t.Helper()
	all, err := readGoldens()
	if err != nil {
		t.Fatalf("no files in testdata: %v", err)
	}
	return all
}

// readGoldens reads them once for all tests.
var readGoldens = sync.OnceValues(func() (map[string]Diagnostics, error) {
	all := map[string]Diagnostics{}
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, cmp.Or(err, os.ErrNotExist)
	}
	for _, file := range files {
		_, diags := Load(file, Options{Now: now(), Notes: strings.Contains(file, "hours") || strings.Contains(file, "notes")})
		all[strings.TrimSuffix(file, ".yaml")+".out"] = diags
	}
	for name, src := range made() {
		_, diags := Parse(name+".yaml", src, "testdata", Options{Now: now()})
		all["testdata/made-"+name+".out"] = diags
	}
	_, all["testdata/warn-links-off.out"] = Load("testdata/warn-notes.yaml", Options{Now: now(), Links: LinksOff})
	_, all["testdata/made-directory.out"] = Load("testdata", Options{})
	_, all["testdata/made-absent.out"] = Load("testdata/absent/schedules.yaml", Options{})
	return all, nil
})

// made are files that are better made than kept: large, or not text.
func made() map[string][]byte {
	repeat := func(head, entry string, n int) []byte {
		return []byte("version: 1\ntimezone: UTC\n" + head + strings.Repeat(entry, n))
	}
	numbered := func(b *bytes.Buffer, n int, format func(i string) string) {
		for i := range n {
			b.WriteString(format(strconv.Itoa(10000 + i)))
		}
	}
	account := "accounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n"
	environments := func(b *bytes.Buffer, n int) {
		b.WriteString("version: 1\ntimezone: UTC\n" + account + "environments:\n")
		numbered(b, n, func(i string) string {
			return "- {name: e" + i + ", project: p, id: 00000000-0000-0000-0000-0000000" + i + ", tags: [dev]}\n"
		})
	}
	var quota, selection, own bytes.Buffer
	environments(&quota, 90)
	quota.WriteString("schedules: [{name: night, environments: \"*\", stop: \"19:00\"}]\n")
	environments(&selection, 2000)
	selection.WriteString("schedules:\n")
	numbered(&selection, 300, func(i string) string {
		return "- {name: s" + i + ", environments: \"*\", stop: \"19:00\"}\n"
	})
	environments(&own, maxChecked+1)
	own.WriteString("schedules:\n")
	numbered(&own, maxChecked+1, func(i string) string {
		return "- {name: s" + i + ", environments: e" + i + ", stop: \"19:00\"}\n"
	})
	return map[string][]byte{
		"empty":           nil,
		"null":            []byte("---\n"),
		"comments":        []byte("# nothing\n"),
		"binary":          {0x7f, 'E', 'L', 'F', 0, 1},
		"utf16":           {0xff, 0xfe, 'v', 0, 'e', 0},
		"large":           bytes.Repeat([]byte("#\n"), maxBytes/2+1),
		"dense":           []byte("a: [" + strings.Repeat("[],", maxPieces/2+1) + "]\n"),
		"crlf":            []byte("version: 1\r\ntimezone: Mars\r\n"),
		"byte-order-mark": []byte("\ufeffversion: 1\ntimezone: UTC\nschedules: []\n"),
		"deep":            []byte("version: 1\naccounts: " + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "\n"),
		"exceptions":      repeat("exceptions:\n", "- {environments: a, date: 2027-01-01, keep: stopped}\n", maxExceptions+1),
		"long-list":       []byte("version: 1\ntimezone: UTC\nschedules:\n- name: a\n  environments: [" + strings.Repeat("a, ", maxList) + "a]\n  stop: \"19:00\"\n"),
		"quota":           quota.Bytes(),
		"selection":       selection.Bytes(),
		"many-rules":      own.Bytes(),
	}
}

func TestGoldens(t *testing.T) {
	all := goldens(t)
	for file, diags := range all {
		got := "ok\n"
		if len(diags) > 0 {
			got = write(diags)
		}
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s (%v):\n%swant:\n%s", file, err, got, want)
		}
	}
	outs, err := filepath.Glob("testdata/*.out")
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range outs {
		if _, ok := all[out]; !ok {
			t.Errorf("%s belongs to no file", out)
		}
	}
}

func write(diags Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}

// TestEveryMessageIsSeen holds each message of messages.go against the golden files.
func TestEveryMessageIsSeen(t *testing.T) {
	var seen []string
	for _, diags := range goldens(t) {
		for _, d := range diags {
			seen = append(seen, d.Message)
		}
	}
	verb := regexp.MustCompile(`%[sdq]`)
	for name, template := range templates(t) {
		if verb.ReplaceAllString(template, "") == "" {
			continue // another package's message
		}
		pattern := regexp.MustCompile("^" + verb.ReplaceAllString(regexp.QuoteMeta(template), ".*") + "$")
		if !slices.ContainsFunc(seen, pattern.MatchString) {
			t.Errorf("no golden file shows %s: %s", name, template)
		}
	}
}

// templates returns the constants of messages.go.
func templates(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "messages.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			v := spec.(*ast.ValueSpec)
			found[v.Names[0].Name] = literal(t, v.Values[0])
		}
	}
	return found
}

// literal works out a constant made of literals and wantSecret.
func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0))
	case *ast.BinaryExpr:
		return literal(t, e.X) + literal(t, e.Y)
	case *ast.Ident:
		if e.Name == "wantSecret" {
			return wantSecret
		}
	}
	t.Fatalf("messages.go: unexpected %T", e)
	return ""
}

// TestMessagesAreListed sees that no problem is reported with a message of its own.
func TestMessagesAreListed(t *testing.T) {
	position := map[string]int{"errorf": 1, "warnf": 1, "notef": 1, "fileError": 0, "errorIn": 2, "report": 3, "fail": 1}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at, ok := position[sel.Sel.Name]
			if !ok || at >= len(call.Args) {
				return true
			}
			calls++
			id, ok := call.Args[at].(*ast.Ident)
			if !ok || !strings.HasPrefix(id.Name, "msg") && id.Name != "m" {
				t.Errorf("%s: a call of %s has a message that is not in messages.go", name, sel.Sel.Name)
			}
			return true
		})
	}
	if calls < 50 {
		t.Errorf("found %d calls, want at least 50: the test searches in the wrong place", calls)
	}
}
