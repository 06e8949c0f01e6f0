package api

import (
	"flag"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the lists anew")

// public are the packages that users import.
var public = []string{"tmptest", "tmptest/rules", "tmptest/require", "tmptest/parity", "leakcheck", "fsfake", "fsfake/fsfaketest", "attack"}

func root(pkg string) string { return filepath.Join("../..", filepath.FromSlash(pkg)) }

// TestExported: the lists say what the packages export.
func TestExported(t *testing.T) {
	for _, pkg := range public {
		t.Run(pkg, func(t *testing.T) {
			list, err := Exported(root(pkg))
			require.NoError(t, err)
			var b strings.Builder
			for _, n := range list {
				b.WriteString(n.Decl + "\n")
			}
			golden := filepath.Join("testdata", strings.ReplaceAll(pkg, "/", "_")+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), b.String(), "what %s exports has changed: if that is meant, go test ./internal/api -update, and say so in CHANGELOG.md", pkg)
		})
	}
}

// shown are the identifiers that the examples use: Example functions of the
// package, and the code below examples.
func shown(t *testing.T, pkg string) map[string]bool {
	names := map[string]bool{}
	note := func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	}
	_, files, err := load(root(pkg), true)
	require.NoError(t, err)
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Example") {
				ast.Inspect(fn, note)
			}
		}
	}
	dirs, err := os.ReadDir(root("examples"))
	require.NoError(t, err)
	for _, d := range dirs {
		for _, tests := range []bool{false, true} {
			_, files, err := load(filepath.Join(root("examples"), d.Name()), tests)
			if err != nil {
				continue // a folder of nothing that is built here
			}
			for _, f := range files {
				if imports(f, pkg) {
					ast.Inspect(f, note)
				}
			}
		}
	}
	return names
}

func imports(f *ast.File, pkg string) bool {
	for _, s := range f.Imports {
		if s.Path.Value == `"github.com/tmpproof/tmpproof/`+pkg+`"` {
			return true
		}
	}
	return false
}

// alike are exported names that say nothing new: what well-known interfaces
// ask for, the rules, which Rules lists, and types that only name a parameter.
var alike = regexp.MustCompile(`^([ECURXA]\d\d|.*\.(String|Error|Name|Close|SetupTest)|(File|FileInfo)\..*|.*\..*IfPossible|Option|TestingT|TestingM|.*Func|(Named|Spool)File)$`)

// TestEachNameIsShown: whoever wonders how a function, type or constant is used
// finds it in an example. Fields have their documentation.
func TestEachNameIsShown(t *testing.T) {
	for _, pkg := range public {
		t.Run(pkg, func(t *testing.T) {
			list, err := Exported(root(pkg))
			require.NoError(t, err)
			names := shown(t, pkg)
			for _, n := range list {
				kind, _, _ := strings.Cut(n.Decl, " ")
				if kind == "field" || kind == "method" || kind == "embedded" || alike.MatchString(n.Name) {
					continue
				}
				last := n.Name[strings.LastIndex(n.Name, ".")+1:]
				assert.True(t, names[last], "%s: %s is in no example", pkg, n.Name)
			}
		})
	}
}
