package leakcheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// literal is a string in the sources of the package that may have named a
// file.
type literal struct {
	text string
	temp bool   // the argument of a function like os.CreateTemp
	at   string // file:line
	test string // the test function that has it, "" for others
}

// literals are those of the package in dir.
func literals(dir string) []literal {
	files, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*.go"))
	fset := token.NewFileSet()
	var list []literal
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range f.Decls {
			test := ""
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				test = fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				temp := makesTemp(call.Fun)
				for _, arg := range call.Args {
					ast.Inspect(arg, func(n ast.Node) bool {
						if _, inner := n.(*ast.CallExpr); inner && n != arg {
							return false
						}
						if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
							if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
								pos := fset.Position(lit.Pos())
								list = append(list, literal{text, temp, filepath.Base(pos.Filename) + ":" + strconv.Itoa(pos.Line), test})
							}
						}
						return true
					})
				}
				return true
			})
		}
	}
	return list
}

// makesTemp says that a function takes a pattern for a random name.
func makesTemp(fun ast.Expr) bool {
	name := ""
	switch f := fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	return slices.Contains([]string{"CreateTemp", "MkdirTemp", "TempFile", "TempDir"}, name)
}

// names says that the literal may have led to the name.
func (l literal) names(name string) bool {
	base := path.Base(filepath.ToSlash(l.text))
	if base == name {
		return true
	}
	if !l.temp {
		return false
	}
	before, after, _ := cutLast(l.text, "*")
	middle, ok := strings.CutPrefix(name, before)
	if ok {
		middle, ok = strings.CutSuffix(middle, after)
	}
	return ok && middle != "" && len(middle) <= 10 && strings.Trim(middle, "0123456789") == ""
}

// cutLast is strings.Cut at the last separator, as os.CreateTemp does it.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// guesses are the literals that may have named l, each once.
func guesses(l *leak, all []literal) []literal {
	if l.kind == process || l.kind == elsewhere {
		return nil
	}
	name := path.Base(l.name)
	var list []literal
	for _, lit := range all {
		if lit.names(name) && !slices.Contains(list, lit) {
			list = append(list, lit)
		}
	}
	return list
}

// sources is the directory of the package's sources, as far as it is known:
// the go command runs tests in it.
func sources() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

func buildPath() string {
	if bi, ok := debug.ReadBuildInfo(); ok {
		return bi.Path
	}
	return ""
}
