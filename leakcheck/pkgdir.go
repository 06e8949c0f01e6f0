package leakcheck

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// pkgDir is the directory of the package under test, in which the go command
// runs the tests: its top, and testdata with all below. Other directories
// below are other packages', whose tests may run at the same time.
type pkgDir struct {
	path   string
	before map[string]bool
	more   bool // too much to look at
}

// mostSource bounds the entries of a package's directory that are looked at.
const mostSource = 5000

// newPkgDir is nil where the process was not started in a directory of Go
// tests, or where the tests were told to write there (-update).
func newPkgDir() *pkgDir {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	tests, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*_test.go"))
	if len(tests) == 0 {
		return nil
	}
	p := &pkgDir{path: dir}
	p.before = p.names()
	return p
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(s)
}

func (p *pkgDir) names() map[string]bool {
	names := map[string]bool{}
	add := func(name string) bool {
		if len(names) >= mostSource {
			p.more = true
			return false
		}
		names[filepath.ToSlash(name)] = true
		return true
	}
	f, err := os.Open(p.path)
	if err != nil {
		p.more = true
		return names
	}
	defer f.Close()
	top, _ := f.Readdirnames(mostSource + 1) // to see that there are more
	for _, n := range top {
		add(n)
	}
	_ = filepath.WalkDir(filepath.Join(p.path, "testdata"), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if rel, err := filepath.Rel(p.path, name); err != nil || !add(rel) {
			return fs.SkipAll
		}
		return nil
	})
	return names
}

// appeared is what the directory has now and had not before.
func (p *pkgDir) appeared(o *options) []*leak {
	if p.more || flagIsSet("update") {
		return nil
	}
	var added []string
	now := p.names()
	if p.more {
		return nil
	}
	written := flagFiles()
	for name := range now {
		if p.before[name] || foreign(path.Base(name)) || slices.Contains(written, filepath.Join(p.path, name)) {
			continue
		}
		if dir := path.Dir(name); dir != "." && now[dir] && !p.before[dir] {
			continue // its directory is new too, and reported
		}
		if strings.HasPrefix(name, "testdata/fuzz") && flagValue("test.fuzz") != "" || name == "_artifacts" {
			continue
		}
		added = append(added, name)
	}
	slices.Sort(added)
	return entries(p.path, added, source, o)
}

// foreign are names that editors and the go command make.
func foreign(name string) bool {
	for _, glob := range []string{".*.sw?", "*~", "4913", ".#*", "#*#", "*.test", "*.test.exe", ".DS_Store", ".nfs*", "__debug_bin*"} {
		if ok, _ := path.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// flagFiles are the files that the flags of the testing package ask for.
func flagFiles() []string {
	var list []string
	dir := flagValue("test.outputdir")
	for _, name := range []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "testlogfile"} {
		file := flagValue("test." + name)
		if file == "" {
			continue
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if abs, err := filepath.Abs(file); err == nil {
			list = append(list, abs)
		}
	}
	return list
}

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

func flagIsSet(name string) bool { return flagValue(name) == "true" }
