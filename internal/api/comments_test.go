package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// see is a name, or the title of a part, that a comment refers to.
var see = regexp.MustCompile(`(?m)\bsee ([A-Za-z_]\w*(?:\.\w+)*)(?:[.,:;)]|$)`)

var title = regexp.MustCompile(`(?m)^# (\w+)`)

// opening is the first word of a comment that can only be a name: with a capital
// inside, or small and followed by a verb of such comments.
var opening = regexp.MustCompile(`^([a-z]\w*[A-Z]\w*|[A-Za-z]\w* (is|are|says|returns|reports|has|makes|gives)\b)`)

// plain are words that open a sentence and are no names.
var plain = map[string]bool{}

// TestCommentsNameWhatExists: a comment that opens with a name opens with that of
// what it stands at, and what it refers the reader to is there.
func TestCommentsNameWhatExists(t *testing.T) {
	for _, word := range strings.Fields("it this that there what who where which all each one nobody nothing everything they these those he") {
		plain[word] = true
	}
	root := filepath.Join("..", "..")
	packages := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], path)
		}
		return nil
	}))
	require.NotEmpty(t, packages)
	for _, files := range packages {
		for _, text := range untrue(t, files) {
			assert.Fail(t, text)
		}
	}
}

// untrue are the comments of a package that name what does not exist.
func untrue(t *testing.T, paths []string) (list []string) {
	fset := token.NewFileSet()
	known := map[string]bool{}
	var files []*ast.File
	for _, path := range paths {
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
		known[strings.TrimSuffix(filepath.Base(path), ".go")] = true
		for _, m := range title.FindAllStringSubmatch(f.Doc.Text(), -1) {
			known[m[1]] = true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				known[id.Name] = true
			}
			return true
		})
	}
	say := func(pos token.Pos, text string) { list = append(list, fset.Position(pos).String()+": "+text) }
	for _, f := range files {
		for _, d := range f.Decls {
			doc, names := documented(d)
			m := opening.FindStringSubmatch(strings.TrimSpace(doc.Text()))
			if m == nil || len(names) == 0 {
				continue
			}
			first, _, _ := strings.Cut(m[1], " ")
			if !names[first] && !plain[strings.ToLower(first)] {
				say(doc.Pos(), "opens with "+first)
			}
		}
		for _, c := range f.Comments {
			for _, m := range see.FindAllStringSubmatch(c.Text(), -1) {
				if last := m[1][strings.LastIndexByte(m[1], '.')+1:]; last != "md" && !known[last] && !plain[strings.ToLower(last)] {
					say(c.Pos(), "refers to "+m[1])
				}
			}
		}
	}
	return list
}

// documented is the comment of a declaration and the names that it may open with.
func documented(d ast.Decl) (*ast.CommentGroup, map[string]bool) {
	names := map[string]bool{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		names[d.Name.Name] = true
		return d.Doc, names
	case *ast.GenDecl:
		if d.Lparen.IsValid() { // a group: what is said is of all
			return d.Doc, nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names[s.Name.Name] = true
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[n.Name] = true
				}
			}
		}
		return d.Doc, names
	}
	return nil, nil
}
