package scheduler_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
)

// What acts is made of parts that can be read one by one.
const (
	mostMethods          = 25
	mostInterfaceMethods = 8
)

// TestPartsStaySmall counts the methods of the types and interfaces of the packages that act.
func TestPartsStaySmall(t *testing.T) {
	for _, dir := range []string{"engine", "notify", "store"} {
		methods := map[string]int{}
		for _, f := range parse(t, dir) {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
					methods[receiver(fn.Recv.List[0].Type)]++
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if i, ok := n.(*ast.InterfaceType); ok && len(i.Methods.List) > mostInterfaceMethods {
					t.Errorf("%s: an interface has %d methods, want %d at most", dir, len(i.Methods.List), mostInterfaceMethods)
				}
				return true
			})
		}
		most, of := 0, ""
		for name, n := range methods {
			if n > mostMethods {
				t.Errorf("%s: %s has %d methods, want %d at most", dir, name, n, mostMethods)
			}
			if n > most {
				most, of = n, name
			}
		}
		if most == 0 {
			t.Errorf("%s: no methods were found", dir)
		}
		t.Logf("%s: %d types with methods, the most has %s: %d", dir, len(methods), of, most)
	}
}

// TestImportsRunOneWay holds the packages to the direction in which they may know each other.
func TestImportsRunOneWay(t *testing.T) {
	allowed := map[string][]string{
		".":          {"curfew/lcs", "curfew/lcs/auth", "curfew/scheduler/plan", "curfew/scheduler/quota"},
		"engine":     {"curfew/lcs", "curfew/lcs/auth", "curfew/lcs/secret", "curfew/scheduler", "curfew/scheduler/clock", "curfew/scheduler/plan", "curfew/scheduler/quota"},
		"store":      {"curfew/internal/files", "curfew/lcs", "curfew/scheduler", "curfew/scheduler/clock", "curfew/scheduler/plan", "curfew/scheduler/quota", "curfew/scheduler/zone"},
		"report":     {"curfew/lcs", "curfew/scheduler", "curfew/scheduler/plan"},
		"notify":     {"curfew/internal/wording", "curfew/lcs/secret", "curfew/scheduler", "curfew/scheduler/plan", "curfew/scheduler/report"},
		"web":        {"curfew/lcs/remote", "curfew/lcs/secret", "curfew/scheduler", "curfew/scheduler/web/access", "curfew/scheduler/web/api", "curfew/scheduler/web/ratelimit"},
		"web/signin": {"curfew/lcs/remote", "curfew/lcs/secret", "curfew/scheduler", "curfew/scheduler/web/access", "curfew/scheduler/web/ratelimit"},
		"web/access": {"curfew/scheduler", "curfew/scheduler/plan"},
		"web/api":    {"curfew/scheduler", "curfew/scheduler/plan", "curfew/scheduler/report", "curfew/scheduler/web/access", "curfew/scheduler/web/answer"},
		"web/answer": {},
		"web/client": {"curfew/lcs/remote", "curfew/lcs/secret", "curfew/scheduler/plan", "curfew/scheduler/web/api"},
		"web/pages":  {"curfew/internal/wording", "curfew/lcs", "curfew/scheduler", "curfew/scheduler/plan", "curfew/scheduler/report", "curfew/scheduler/web/access", "curfew/scheduler/web/answer", "curfew/scheduler/web/ratelimit"},
		"plan":       {},
		"review":     {"curfew/scheduler/plan"},
		"quota":      {"curfew/lcs"},
		"zone":       {},
		"config":     {"curfew/internal/files", "curfew/lcs", "curfew/lcs/auth", "curfew/lcs/remote", "curfew/lcs/secret", "curfew/scheduler/calendar", "curfew/scheduler/plan", "curfew/scheduler/quota", "curfew/scheduler/zone"},
		"identity":   {},
	}
	for dir, list := range allowed {
		may := map[string]bool{}
		for _, path := range list {
			may[path] = true
		}
		for name, f := range parse(t, dir) {
			for _, i := range f.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(path, "curfew/") && !may[path] {
					t.Errorf("%s imports %s, which is against the direction", name, path)
				}
			}
		}
	}
}

// parse returns the files of a package, without its tests.
func parse(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	entries, err := fs.ReadDir(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[dir+"/"+name] = f
	}
	return files
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
