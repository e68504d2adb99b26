package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

// documents are the README and the pages whose commands and schedule files are complete.
var documents = []string{"README.md", "docs/sign-in.md", "docs/operate.md", "docs/figures.md"}

// references are the other pages: they show parts of schedule files, and what commands print.
var references = []string{"docs/schedule-file.md", "docs/calendars.md", "docs/time-zones.md", "docs/review.md", "docs/power-automate.md", "docs/architecture.md", "docs/access.md", "docs/notices.md", "docs/pages.md", "CONTRIBUTING.md", "SECURITY.md"}

// elsewhere are commands of the pages that other tests run: make test and the
// demo by .ci/run, serve and login by the end-to-end tests.
var elsewhere = []string{"go run ./cmd/curfew demo", "make test", "make test-long", "make chaos", "curfew serve", "curfew login second"}

var (
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	indented   = regexp.MustCompile(`(?m)^    (\S.*)$`)
	fenced     = regexp.MustCompile("(?ms)^```.*?^```$")
	yamlBlock  = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	logRow     = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|[^|]*\\|[^|]*\\|$")
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	goString   = regexp.MustCompile(`"((?:[^"\\\n]|\\.)*)"`)
	logCall    = regexp.MustCompile(`(?:\.(?:Warn|Error|retrying)\(|\bwarn\(ctx, [^\n]*?[a-z)], )"((?:[^"\\\n]|\\.)*)"`)
	mdLink     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

func page(t *testing.T, name string) string {
	t.Helper()
	return read(t, filepath.Join("..", "..", name))
}

// commandsOf lists the command lines of a page.
func commandsOf(text string) []string {
	var lines []string
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	for _, line := range indented.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		lines = append(lines, line[1])
	}
	return lines
}

func TestEveryCommandOfTheREADMEWorks(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, name := range documents {
		for _, line := range commandsOf(page(t, name)) {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	s := newSite(t, "  - {name: office-hours, environments: [dev-00, dev-01], uptime: \"mon-fri 07:00-19:00\"}\n")
	s.start()
	dir, server := s.dir, "http://"+s.listen
	ran := 0
	for _, line := range lines {
		if slices.ContainsFunc(elsewhere, func(p string) bool { return strings.HasPrefix(line, p) }) {
			continue
		}
		args, ok := strings.CutPrefix(line, "curfew ")
		if !ok {
			t.Errorf("the README and its pages have a command that no test runs: %s", line)
			continue
		}
		code, out, errs := command(t, map[string]string{"CURFEW_CONFIG": filepath.Join(dir, "schedules.yaml"), "CURFEW_SERVER": server, "CURFEW_API_TOKEN": e2eAPI}, words(args)...)
		if code != exitDone || out == "" {
			t.Errorf("%s exited %d: %s", line, code, errs)
		}
		ran++
	}
	if ran < 12 {
		t.Errorf("%d commands were run, want 12 at least", ran)
	}
	s.stop()
}

// TestSignInPageSaysWhatEachErrorMeans checks the table of errors against what
// curfew can explain.
func TestSignInPageSaysWhatEachErrorMeans(t *testing.T) {
	text := page(t, "docs/sign-in.md")
	for _, number := range auth.Explained() {
		if !strings.Contains(text, number) {
			t.Errorf("docs/sign-in.md does not say what %s means", number)
		}
	}
	for _, number := range regexp.MustCompile(`AADSTS\d+`).FindAllString(text, -1) {
		if !slices.Contains(auth.Explained(), number) {
			t.Errorf("docs/sign-in.md explains %s, and curfew does not", number)
		}
	}
}

// sources returns the code that some patterns match, without tests.
func sources(t *testing.T, patterns ...string) string {
	t.Helper()
	var code strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				code.WriteString(read(t, file))
			}
		}
	}
	return code.String()
}

// loggedBy are the packages that write lines of the log.
var loggedBy = []string{"*.go", "../../scheduler/*/*.go", "../../scheduler/*/*/*.go", "../../lcs/*.go", "../../lcs/*/*.go"}

// explainedLines returns the lines of the log that docs/operate.md has.
func explainedLines(t *testing.T) []string {
	t.Helper()
	_, section, _ := strings.Cut(page(t, "docs/operate.md"), "## The log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var lines []string
	for _, row := range logRow.FindAllStringSubmatch(section, -1) {
		for _, line := range codeSpan.FindAllStringSubmatch(row[1], -1) {
			lines = append(lines, line[1])
		}
	}
	if len(lines) < 60 {
		t.Fatalf("the tables have %d lines, want 60 at least", len(lines))
	}
	return lines
}

// TestOperatePageHasLinesThatAreLogged checks the tables of log lines against the
// code: an operator searches for them word by word.
func TestOperatePageHasLinesThatAreLogged(t *testing.T) {
	logged := map[string]bool{}
	for _, literal := range goString.FindAllStringSubmatch(sources(t, loggedBy...), -1) {
		logged[strings.TrimSpace(literal[1])] = true
	}
	for _, line := range explainedLines(t) {
		state, ofRun := strings.CutPrefix(line, "run ")
		if !logged[line] && (!ofRun || !scheduler.State(state).Finished()) {
			t.Errorf("docs/operate.md has the line %q, which nothing logs", line)
		}
	}
}

// TestOperatePageSaysWhatToDoAboutEachWarning checks that each warning and error of the code
// is in the tables. One that is tried again says so itself, and what to do then stands above them.
func TestOperatePageSaysWhatToDoAboutEachWarning(t *testing.T) {
	explained := explainedLines(t)
	found := 0
	for _, line := range logCall.FindAllStringSubmatch(sources(t, loggedBy...), -1) {
		found++
		message := strings.TrimSpace(line[1])
		if !slices.Contains(explained, message) && !strings.Contains(message, "retrying") && !strings.Contains(message, "trying again") {
			t.Errorf("docs/operate.md lacks the line %q", message)
		}
	}
	if found < 70 {
		t.Errorf("%d calls were found, want 70 at least", found)
	}
}

// TestOperatePageExplainsMessagesOfTheCode checks the table of messages: an operator searches
// for them word by word. What differs is written as … there.
func TestOperatePageExplainsMessagesOfTheCode(t *testing.T) {
	code := sources(t, "*.go", "../../scheduler/*/*.go", "../../lcs/*/*.go")
	_, section, _ := strings.Cut(page(t, "docs/operate.md"), "## Messages\n")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1)
	if len(rows) < 10 {
		t.Fatalf("the table has %d messages, want 10 at least", len(rows))
	}
	for _, row := range rows {
		for part := range strings.SplitSeq(row[1], "…") {
			if !strings.Contains(code, strings.TrimSpace(part)) {
				t.Errorf("docs/operate.md has the message %q, which nothing says: %q", row[1], part)
			}
		}
	}
}

// TestLinksOfThePagesLeadSomewhere checks the links between the files of the
// repository.
func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	for _, name := range append(references, documents...) {
		for _, link := range mdLink.FindAllStringSubmatch(page(t, name), -1) {
			target, _, _ := strings.Cut(link[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", "..", filepath.Dir(name), target)); err != nil {
				t.Errorf("%s has a link to %s, which is not there", name, link[1])
			}
		}
	}
}

// TestREADMEIsReadInOneSitting keeps the README short: what is long has a page.
func TestREADMEIsReadInOneSitting(t *testing.T) {
	if n := len(strings.Fields(page(t, "README.md"))); n >= 1700 {
		t.Errorf("README.md has %d words, want fewer than 1,700", n)
	}
}

// words splits a command line; a text in double quotes is one word.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestScheduleFilesOfTheREADMEAreValid(t *testing.T) {
	var blocks [][]string
	for _, name := range documents {
		blocks = append(blocks, yamlBlock.FindAllStringSubmatch(page(t, name), -1)...)
	}
	if len(blocks) == 0 {
		t.Fatal("the README shows no schedule file")
	}
	for i, block := range blocks {
		file := filepath.Join(t.TempDir(), fmt.Sprintf("block-%d.yaml", i))
		if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := command(t, nil, "validate", file); code != exitDone || strings.Contains(out, "warning") {
			t.Errorf("block %d exited %d: %s%s", i, code, out, errs)
		}
	}
}

func TestEnvironmentsToPasteAreValid(t *testing.T) {
	t.Parallel()
	s := newSite(t, "  - {name: office-hours, environments: [dev-00, dev-01], uptime: \"mon-fri 07:00-19:00\"}\n")
	s.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(7), Name: "Sandbox: UAT", Infrastructure: "MicrosoftManaged"})
	s.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(8), Name: "LCS 0"})
	for i, kind := range []string{"DevTestBuild", "Sandbox", "Production", "DevTestDevAndBuild", "Retail \"Essentials\": [x]"} {
		s.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(20 + i), Name: strings.Repeat("²x: \"#", 30) + kind, Type: kind})
	}
	file := filepath.Join(s.dir, "schedules.yaml")
	code, entries, errs := command(t, nil, "--config", file, "environments", "--yaml")
	if code != exitDone || !strings.Contains(entries, "# - {name: \"Sandbox-UAT\"") || !strings.Contains(entries, "LCS-0-2") {
		t.Fatalf("curfew environments --yaml exited %d:\n%s%s", code, entries, errs)
	}
	text := read(t, file)
	head, _, _ := strings.Cut(text, "environments:\n")
	pasted := head + entries + "schedules:\n  - {name: office-hours, environments: [\"*\"], uptime: \"mon-fri 07:00-19:00\"}\n"
	s.write("pasted.yaml", pasted)
	if code, out, _ := command(t, nil, "validate", filepath.Join(s.dir, "pasted.yaml")); code != exitDone {
		t.Errorf("the pasted entries are refused:\n%s\n%s", out, pasted)
	}
	var tags []string
	for _, m := range regexp.MustCompile(`tags: (\[.*\])`).FindAllStringSubmatch(entries, -1) {
		tags = append(tags, m[1])
	}
	if want := []string{"[dev]", "[dev]", "[dev]", "[dev]", "[build]", "[sandbox]", "[production]", "[build]", "[retail-essentials-x]"}; !slices.Equal(tags, want) {
		t.Errorf("the tags are %q, want %q", tags, want)
	}
	// The schedules of the sample select what develops or builds, and nothing else.
	sample := read(t, "../../schedules.yaml")
	head, tail, _ := strings.Cut(sample, "environments:\n")
	_, tail, _ = strings.Cut(tail, "currency:")
	s.write("sample.yaml", head+strings.ReplaceAll(entries, `project: "contoso"`, "project: contoso")+"currency:"+tail)
	if code, out, _ := command(t, nil, "validate", filepath.Join(s.dir, "sample.yaml")); code != exitDone || strings.Count(out, "is not used") != 3 || strings.Count(out, "warning") != 3 || !strings.Contains(out, "8 environments") {
		t.Errorf("the sample with the pasted entries is not valid, or three of them are used:\n%s", out)
	}
	code, out, errs := command(t, nil, "--config", file, "environments", "-o", "json", "--project", "contoso")
	if code != exitDone || !strings.Contains(out, `"condition": "unsupported"`) {
		t.Errorf("curfew environments -o json exited %d: %s%s", code, out, errs)
	}
}
