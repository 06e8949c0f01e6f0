package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"
)

//go:embed page.gohtml
var page string

// tmpl is parsed when a page is wanted: a child of a proof starts without.
var tmpl = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"cwe":     func(n int) string { return fmt.Sprintf("https://cwe.mitre.org/data/definitions/%d.html", n) },
		"inc":     func(i int) int { return i + 1 },
		"add":     func(a, b int) int { return a + b },
		"seconds": func(s float64) string { return fmt.Sprintf("%.3g s", s) },
		"percent": func(p float64) string { return fmt.Sprintf("%.2g %%", 100*p) },
		"upper":   strings.ToUpper,
		"cell":    cellText,
		"state":   cellState,
		"exploits": func(r *Report) (n int) {
			for _, f := range r.Findings {
				if f.Exploit {
					n++
				}
			}
			return n
		},
	}).Parse(page))
})

// HTML writes the page.
func HTML(w io.Writer, r *Report) error { return tmpl().Execute(w, r) }

// cellState is a cell's class.
func cellState(c Cell) string {
	switch {
	case c.Found > 0:
		return "found"
	case c.Tried > 0:
		return "held"
	}
	return "none"
}

// cellText is a cell in words: what it looks like is not all that it says.
func cellText(c Cell) string {
	switch cellState(c) {
	case "found":
		return fmt.Sprintf("broken by %d of %d", c.Found, c.Tried)
	case "held":
		return fmt.Sprintf("held %d", c.Tried)
	}
	return "not possible"
}
