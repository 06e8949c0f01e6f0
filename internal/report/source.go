package report

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// around is how many lines an excerpt shows before and after the one meant.
const around = 4

// maxFiles bounds the search for a source file.
const maxFiles = 20_000

// Excerpt reads the code at "file.go:12 < ...". The name is that of a file in
// dir, where tests run, or of the only one so called in its module; nil where
// it cannot be told.
func Excerpt(dir, line string) *Source {
	first, _, _ := strings.Cut(line, " < ")
	base, num, ok := strings.Cut(first, ":")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 1 || base != filepath.Base(base) {
		return nil
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil
	}
	root := moduleRoot(dir)
	file := filepath.Join(dir, base)
	if _, err := os.Stat(file); err != nil {
		if file = only(root, base); file == "" {
			return nil
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if n > len(lines) {
		return nil
	}
	s := &Source{File: filepath.Base(file), Line: n, First: max(1, n-around)}
	if rel, err := filepath.Rel(root, file); err == nil && root != "" {
		s.File = filepath.ToSlash(rel)
	}
	s.Lines = unindent(lines[s.First-1 : min(len(lines), n+around)])
	return s
}

// unindent takes off the tabs that all lines begin with.
func unindent(lines []string) []string {
	common := -1
	for _, l := range lines {
		if tabs := len(l) - len(strings.TrimLeft(l, "\t")); l != "" && (common < 0 || tabs < common) {
			common = tabs
		}
	}
	var all []string
	for _, l := range lines {
		all = append(all, strings.ReplaceAll(l[min(len(l), max(common, 0)):], "\t", "    "))
	}
	return all
}

// moduleRoot is the nearest directory with a go.mod, "" for none.
func moduleRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// only is the one file of that name below root.
func only(root, base string) string {
	if root == "" {
		return ""
	}
	found, seen := "", 0
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return fs.SkipDir
		}
		if seen++; seen > maxFiles {
			found = ""
			return fs.SkipAll
		}
		if !d.IsDir() && d.Name() == base {
			if found != "" {
				found = ""
				return fs.SkipAll
			}
			found = path
		}
		return nil
	})
	return found
}
