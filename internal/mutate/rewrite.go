package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// mutant is a condition and what it becomes.
type mutant struct {
	id   int
	file string
	in   string // the function
	text string // the operand
	nth  int    // of its like in the function, from 1
	as   bool
}

func (m mutant) key() string {
	key := fmt.Sprintf("%s %s: `%s`", m.file, m.in, m.text)
	if m.nth > 1 {
		key += fmt.Sprintf(" (%d)", m.nth)
	}
	return key
}

// edit is a text to insert.
type edit struct {
	at   int
	text string
}

// rewriter puts a call around each operand of a file's conditions.
type rewriter struct {
	fset    *token.FileSet
	src     []byte
	file    string
	in      string
	seen    map[string]int
	done    map[ast.Expr]bool
	edits   []edit
	mutants []mutant
	first   int // id of the first
}

// helper is the name of the function that the rewritten file calls.
const helper = "mutated__"

// rewrite gives the file's text with each condition under the control of
// helper, and what can be chosen.
func rewrite(name string, src []byte, first int) ([]byte, []mutant, error) {
	r := &rewriter{fset: token.NewFileSet(), src: src, file: name, done: map[ast.Expr]bool{}, first: first}
	file, err := parser.ParseFile(r.fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			r.in, r.seen = funcName(f), map[string]int{}
			ast.Inspect(f.Body, r.visit)
		}
	}
	// What is inserted at one place: the end of an operand before the begin of
	// another, outer operands begin first.
	slices.SortStableFunc(r.edits, func(a, b edit) int { return a.at - b.at })
	var out bytes.Buffer
	last := 0
	for _, e := range r.edits {
		out.Write(src[last:e.at])
		out.WriteString(e.text)
		last = e.at
	}
	out.Write(src[last:])
	return out.Bytes(), r.mutants, nil
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

func (r *rewriter) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		r.condition(n.Cond, false)
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				for _, e := range c.(*ast.CaseClause).List {
					r.condition(e, false)
				}
			}
		}
	case *ast.ReturnStmt:
		for _, e := range n.Results {
			if comparison(e) {
				r.condition(e, false)
			}
		}
	case *ast.BinaryExpr:
		if logical(n) {
			r.condition(n, false)
		}
	}
	return true
}

func logical(e ast.Expr) bool {
	b, ok := e.(*ast.BinaryExpr)
	return ok && (b.Op == token.LAND || b.Op == token.LOR)
}

func comparison(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return e.Op == token.NOT
	case *ast.BinaryExpr:
		switch e.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return true
		}
	}
	return false
}

// condition takes a condition apart; as is what stands for an operand that is
// not there.
func (r *rewriter) condition(e ast.Expr, as bool) {
	if r.done[e] {
		return
	}
	r.done[e] = true
	switch x := e.(type) {
	case *ast.ParenExpr:
		r.condition(x.X, as)
		return
	case *ast.BinaryExpr:
		if logical(x) {
			r.condition(x.X, x.Op == token.LAND)
			r.condition(x.Y, x.Op == token.LAND)
			return
		}
	case *ast.Ident:
		if x.Name == "true" || x.Name == "false" {
			return
		}
	}
	from, to := r.fset.Position(e.Pos()).Offset, r.fset.Position(e.End()).Offset
	text := strings.Join(strings.Fields(string(r.src[from:to])), " ")
	r.seen[text]++
	m := mutant{id: r.first + len(r.mutants), file: r.file, in: r.in, text: text, nth: r.seen[text], as: as}
	r.mutants = append(r.mutants, m)
	r.edits = append(r.edits, edit{from, fmt.Sprintf("%s(%d, %v, ", helper, m.id, as)}, edit{to, ")"})
}

// support is the file with helper.
func support(pkg string) []byte {
	return fmt.Appendf(nil, `package %s

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutant__, _ = strconv.Atoi(os.Getenv(%q))
	trace__     = os.Getenv(%q)
	traced__    sync.Map
)

func %s(id int, as, is bool) bool {
	if id == mutant__ {
		return as
	}
	if trace__ != "" && is != as {
		if _, told := traced__.LoadOrStore(id, true); !told {
			if f, err := os.OpenFile(trace__, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err == nil {
				_, _ = f.WriteString(strconv.Itoa(id) + "\n")
				_ = f.Close()
			}
		}
	}
	return is
}
`, pkg, variable, traceVariable, helper)
}
