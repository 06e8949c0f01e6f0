package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// artefacts are what the go command asked the test binary to write, and the go
// command's own caches.
type artefacts struct {
	files  map[string]bool
	dirs   []string
	caches []string
}

func newArtefacts(cfg *config) *artefacts {
	flags := map[string]string{}
	for _, arg := range cfg.args {
		if name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "="); ok && strings.HasPrefix(arg, "-") {
			flags[strings.TrimPrefix(name, "test.")] = value
		}
	}
	a := &artefacts{files: map[string]bool{}}
	out := flags["outputdir"]
	if out == "" {
		out, _ = os.Getwd()
	}
	for _, name := range []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "testlogfile"} {
		if file := flags[name]; file != "" {
			if !filepath.IsAbs(file) && name != "testlogfile" {
				file = filepath.Join(out, file)
			}
			if abs, err := filepath.Abs(file); err == nil {
				a.files[abs] = true
			}
		}
	}
	a.dir(flags["gocoverdir"])
	a.dir(flags["fuzzcachedir"])
	a.dir(os.Getenv("GOCOVERDIR"))
	if _, ok := flags["artifacts"]; ok {
		a.dir(filepath.Join(out, "_artifacts"))
	}
	if flags["fuzz"] != "" {
		a.dir("testdata/fuzz")
	}
	cache := func(variable string, dir func() (string, error), elem ...string) {
		if v := os.Getenv(variable); v != "" {
			a.caches = append(a.caches, v)
		} else if d, err := dir(); err == nil {
			a.caches = append(a.caches, filepath.Join(append([]string{d}, elem...)...))
		}
	}
	cache("GOCACHE", os.UserCacheDir, "go-build")
	cache("GOMODCACHE", gopath, "pkg", "mod")
	cache("GOTELEMETRYDIR", os.UserConfigDir, "go", "telemetry")
	if d, err := gopath(); err == nil {
		a.caches = append(a.caches, filepath.Join(d, "pkg", "sumdb"))
	}
	return a
}

func gopath() (string, error) {
	if v := os.Getenv("GOPATH"); v != "" {
		return filepath.SplitList(v)[0], nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, "go"), err
}

func (a *artefacts) dir(name string) {
	if name == "" {
		return
	}
	if abs, err := filepath.Abs(name); err == nil {
		a.dirs = append(a.dirs, abs)
	}
}

// asked says that the go command wants the file.
func (a *artefacts) asked(name string) bool { return a.files[name] || within(name, a.dirs) }

// cached says that it is in a cache of the go command, or on the way there.
func (a *artefacts) cached(name string) bool { return within(name, a.caches) }

func within(name string, dirs []string) bool {
	for _, d := range dirs {
		if name == d || strings.HasPrefix(name, strings.TrimSuffix(d, "/")+"/") {
			return true
		}
	}
	return false
}

// ignored says that -ignore leaves a path out.
func (cfg *config) ignored(name string) bool {
	for _, g := range cfg.ignore {
		for _, s := range []string{name, path.Base(name)} {
			if ok, _ := path.Match(g, s); ok {
				return true
			}
		}
	}
	return false
}
