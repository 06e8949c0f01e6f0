// Package api reads what the public packages export, for two tests: that the
// lists in testdata are what is exported, so that no change of it goes unseen,
// and that each name is shown in an example. After a change that is meant:
//
//	go test ./internal/api -update
package api

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// Name is something exported: Func, Type, Type.Method, Type.Field.
type Name struct {
	Name string
	Decl string // in one line
}

// load parses the files of a package that are built on Linux.
func load(dir string, tests bool) (*token.FileSet, []*ast.File, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = "linux", "amd64", false
	p, err := ctx.ImportDir(dir, 0)
	if err != nil {
		return nil, nil, err
	}
	names := p.GoFiles
	if tests {
		names = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	return fset, files, nil
}

// Exported lists what a package exports, in order of the names.
func Exported(dir string) ([]Name, error) {
	fset, files, err := load(dir, false)
	if err != nil {
		return nil, err
	}
	var list []Name
	add := func(name, prefix string, node any) {
		var b bytes.Buffer
		err = printer.Fprint(&b, fset, node)
		list = append(list, Name{name, prefix + strings.Join(strings.Fields(b.String()), " ")})
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if name, ok := method(d); ok {
					add(name, "", &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					declared(s, d.Tok.String(), add)
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Name) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// method is the name of a function or method that can be called from outside.
func method(d *ast.FuncDecl) (string, bool) {
	if !d.Name.IsExported() {
		return "", false
	}
	if d.Recv == nil {
		return d.Name.Name, true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch i := t.(type) {
	case *ast.IndexExpr:
		t = i.X
	case *ast.IndexListExpr:
		t = i.X
	}
	id, ok := t.(*ast.Ident)
	return fmt.Sprintf("%v.%s", t, d.Name.Name), ok && id.IsExported()
}

// declared adds what a type, const or var declaration exports.
func declared(s ast.Spec, token string, add func(name, prefix string, node any)) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for i, id := range s.Names {
			if !id.IsExported() {
				continue
			}
			switch {
			case s.Type != nil:
				add(id.Name, token+" "+id.Name+" ", s.Type)
			case i < len(s.Values) && token == "var":
				if lit, ok := s.Values[i].(*ast.CompositeLit); ok && lit.Type != nil {
					add(id.Name, token+" "+id.Name+" ", lit.Type)
					continue
				}
				add(id.Name, token+" ", id)
			default:
				add(id.Name, token+" ", id)
			}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		shown := *s
		shown.Doc, shown.Comment = nil, nil
		switch t := s.Type.(type) {
		case *ast.StructType:
			shown.Type = &ast.StructType{Fields: &ast.FieldList{}}
			for _, f := range t.Fields.List {
				for _, id := range f.Names {
					if id.IsExported() {
						add(s.Name.Name+"."+id.Name, "field "+s.Name.Name+"."+id.Name+" ", f.Type)
					}
				}
				if len(f.Names) == 0 {
					add(s.Name.Name+".(embedded)", "embedded in "+s.Name.Name+" ", f.Type)
				}
			}
		case *ast.InterfaceType:
			shown.Type = &ast.InterfaceType{Methods: &ast.FieldList{}}
			for _, f := range t.Methods.List {
				for _, id := range f.Names {
					add(s.Name.Name+"."+id.Name, "method "+s.Name.Name+"."+id.Name+" ", f.Type)
				}
			}
		}
		add(s.Name.Name, "type ", &shown)
	}
}
