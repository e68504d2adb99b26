package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/unicode/norm"
	"gopkg.in/yaml.v3"

	"curfew/internal/longtest"
)

const schemaFile = "../../deploy/schedules.schema.json"

func TestSchemaFileIsCurrent(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs from Schema() (%v); want it written again with -update", schemaFile, err)
	}
}

// TestPatternsArePortable holds the patterns to the subset of regular expressions that
// JSON Schema recommends, which Python, Java, .NET and browsers read alike.
func TestPatternsArePortable(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(schema, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
		t.Errorf("the schema has a character that is not ASCII at %d, want it escaped", i)
	}
	var doc any
	if err := json.Unmarshal(schema, &doc); err != nil {
		t.Fatal(err)
	}
	odd := regexp.MustCompile(`\\[^sS\[\]^.$()*+?{}|/\\-]|\(\?`) // classes of Unicode, lookaround, named groups, flags
	seen := map[string]bool{}
	eachPattern(doc, func(pattern string) {
		seen[pattern] = true
		if found := odd.FindString(pattern); found != "" {
			t.Errorf("the pattern %q has %q, which not every validator reads", pattern, found)
		}
	})
	if !seen[namePattern] || len(seen) < 8 {
		t.Errorf("saw %d patterns, want at least 8 and that of names", len(seen))
	}
}

// eachPattern calls f for every pattern below v.
func eachPattern(v any, f func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if pattern, ok := value.(string); ok && key == "pattern" {
				f(pattern)
			}
			eachPattern(value, f)
		}
	case []any:
		for _, value := range v {
			eachPattern(value, f)
		}
	}
}

// TestTheSchemaKnowsNames tries every character there is in a name: the schema refuses
// none that the loader accepts, and knows what of ASCII a name may have.
func TestTheSchemaKnowsNames(t *testing.T) {
	pattern := regexp.MustCompile(namePattern)
	refused := 0
	for r := rune(1); r <= unicode.MaxRune; r++ {
		name := "a" + string(r)
		loader, schema := validName(Normal(name)), pattern.MatchString(name)
		switch {
		case loader && !schema:
			t.Errorf("the schema refuses U+%04X, which the loader accepts", r)
		case !loader && schema && (r <= unicode.MaxLatin1 || unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) && r >= 0x2000):
			t.Errorf("the schema accepts U+%04X, which the loader refuses", r)
		}
		if !schema {
			refused++
		}
	}
	if refused < 3000 {
		t.Errorf("the schema refuses %d characters, want at least 3000", refused)
	}
}

func TestTheSchemaCountsNamesAsTheLoaderDoes(t *testing.T) {
	var doc any
	src, err := json.Marshal(nameShape())
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(src)); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("name.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("name.json")
	tests := []struct {
		name, text string
		want       bool
	}{
		{"as many as there may be", strings.Repeat("a", maxName), true},
		{"one more", strings.Repeat("a", maxName+1), false},
		{"a letter with an accent is one", strings.Repeat("e\u0301", maxName), true},
		{"a letter with three accents is one", strings.Repeat(norm.NFD.String("\u1f82"), maxName), true},
		{"none", "", false},
	}
	for _, tt := range tests {
		if loader, schema := validName(Normal(tt.text)), schema.Validate(tt.text) == nil; loader != tt.want || schema != tt.want {
			t.Errorf("%s: the loader accepts it: %v, the schema: %v, want %v", tt.name, loader, schema, tt.want)
		}
	}
}

// loaderOnly are the files with mistakes that the structure does not show: names that
// are not defined or are defined twice, texts with a grammar of their own, bounds of
// durations, and files that are no longer YAML once they are JSON.
func loaderOnly() map[string]bool {
	list := "access-document endpoints mixed name-forms-twice never-stops same-environment same-project two-clouds unknown-names windows zone-missing zones"
	found := map[string]bool{}
	for name := range strings.FieldsSeq(list) {
		found[name] = true
	}
	return found
}

func TestSchemaAgreesWithTheLoader(t *testing.T) {
	schema := compileSchema(t)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	only := loaderOnly()
	judged := 0
	for _, file := range append(files, "../../schedules.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := newDecoder(file, filepath.Dir(file), Options{})
		root := d.parseTree(src)
		if root == nil {
			continue // not a document that a schema could judge
		}
		judged++
		_, diags := Load(file, Options{Now: now()})
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		want := !diags.HasErrors() || only[name]
		err = schema.Validate(value(root))
		if got := err == nil; got != want {
			t.Errorf("the schema accepts %s: %v, want %v\n%v\n%s", name, got, want, err, write(diags))
		}
		if only[name] && !diags.HasErrors() {
			t.Errorf("%s is listed as refused by the loader only, but the loader accepts it", name)
		}
	}
	if judged < 30 {
		t.Errorf("judged %d files, want at least 30", judged)
	}
}

// TestSchemaAgreesOnEveryValue puts values of the wrong kind in the place of each
// value of a valid file, one at a time, and takes each key away.
func TestSchemaAgreesOnEveryValue(t *testing.T) {
	schema := compileSchema(t)
	src, err := os.ReadFile("testdata/valid-full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root := newDecoder("", "", Options{}).parseTree(src)
	tried, refused := 0, 0
	every := 1
	if raceEnabled {
		every = longtest.Or(15, 5)
	}
	try := func(at *yaml.Node) {
		if tried++; tried%every != 0 {
			return
		}
		text, err := yaml.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		_, diags := Parse("mutant.yaml", text, "testdata", Options{})
		err = schema.Validate(value(newDecoder("", "", Options{}).parseTree(text)))
		if diags.HasErrors() {
			refused += every
		}
		if diags.HasErrors() != (err != nil) && !structureIsRight(diags) {
			t.Errorf("line %d: the schema says %v, the loader\n%s", at.Line, err, write(diags))
		}
	}
	eachNode(root, func(n *yaml.Node) {
		if n == root {
			return // another file altogether
		}
		before := *n
		for _, text := range []string{"null", "[]", "[[]]", "{}", "{x: 1}", "-1", "true", "\" \""} {
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			*n = *doc.Content[0]
			try(&before)
		}
		*n = before
		for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			n.Content = append(append([]*yaml.Node{}, before.Content[:i]...), before.Content[i+2:]...)
			try(&before)
		}
		*n = before
	})
	if tried < 1000 || refused < tried/2 {
		t.Errorf("tried %d, refused %d, want at least 1000 and half of them", tried, refused)
	}
}

// structureIsRight reports whether all errors are of names, which no schema knows.
func structureIsRight(diags Diagnostics) bool {
	for _, d := range diags.Errors() {
		name := strings.HasPrefix(d.Message, "unknown account") || strings.HasPrefix(d.Message, "unknown project") ||
			strings.HasPrefix(d.Message, "unknown calendar") || strings.HasPrefix(d.Message, "no environment is selected") ||
			strings.Contains(d.Message, "has no time zone") || strings.Contains(d.Message, "days applies to no time")
		if !name {
			return false
		}
	}
	return true
}

// eachNode calls f for every value below and including n.
func eachNode(n *yaml.Node, f func(*yaml.Node)) {
	f(n)
	for i, c := range n.Content {
		if n.Kind == yaml.SequenceNode || i%2 == 1 {
			eachNode(c, f)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schedules.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schedules.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// value is n as JSON has it, which is how editors see YAML.
func value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, value(c))
		}
		return list
	default:
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil && len(n.Value) < 30 {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

func TestEveryKeyIsDescribed(t *testing.T) {
	var walk func(path string, v any)
	seen := 0
	walk = func(path string, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			return
		}
		properties, _ := m["properties"].(map[string]any)
		for name, p := range properties {
			doc, _ := p.(map[string]any)["description"].(string)
			if m["if"] == nil && m["type"] == "object" && !strings.HasSuffix(doc, ".") {
				t.Errorf("%s.%s has no sentence that describes it: %q", path, name, doc)
			}
			seen++
			walk(path+"."+name, p)
		}
		walk(path+"[]", m["items"])
	}
	src, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	walk("", doc)
	if seen < 60 {
		t.Errorf("saw %d keys, want at least 60", seen)
	}
}
