//go:build amd64 || arm64

package main

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCommandLine: what makes no sense is said, with the exit status of a run in
// which nothing was checked.
func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags []string
		exe   string
		has   string
	}{
		{"nothing", nil, "", "tmpleak: no program to run: it is for `go test -exec tmpleak` and packages"},
		{"help", []string{"-h"}, "", "usage: go test -exec 'tmpleak [flags]' packages"},
		{"unknown flag", []string{"-nonsense"}, "", "flag provided but not defined: -nonsense"},
		{"malformed pattern", []string{"-ignore=a,["}, "/bin/true", `tmpleak: the pattern "[" of -ignore: syntax error in pattern: see path.Match for the syntax`},
		{"no such program", nil, "/nonexistent/x.test", "tmpleak: exec: \"/nonexistent/x.test\": stat /nonexistent/x.test: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, _ := prepare(t, tt.exe, nil, tt.flags)
			if tt.exe == "" {
				cmd.Args = cmd.Args[:len(cmd.Args)-1]
			}
			out, _ := cmd.CombinedOutput()
			assert.Contains(t, string(out), tt.has)
			assert.Equal(t, statusUnchecked, cmd.ProcessState.ExitCode(), "%s", out)
		})
	}
}

// TestIgnore leaves paths out by their names.
func TestIgnore(t *testing.T) {
	exe := ways(t)
	for _, tt := range []struct {
		glob string
		code int
	}{{"up*.tmp", 0}, {"none,upload-*", 0}, {"other", 1}} {
		t.Run(tt.glob, func(t *testing.T) {
			r := leaksOf(t, exe, []string{"LEAK=TestFile"}, []string{"-ignore=" + tt.glob}, "-test.run=^TestFile$")
			assert.Equal(t, tt.code, r.code, r.out)
		})
	}
}

// TestNoReport: a report that cannot be written fails the run.
func TestNoReport(t *testing.T) {
	exe := ways(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	r := leaksOf(t, exe, nil, []string{"-report=" + file + "/x"}, "-test.run=^TestBehave$")
	assert.Equal(t, 1, r.code, r.out)
	assert.Contains(t, r.out, "tmpleak: -report: mkdir "+file)
}

// TestArtefacts: what the go command asked for is no leak.
func TestArtefacts(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := os.Getwd()
	require.NoError(t, err)
	t.Setenv("GOCOVERDIR", "")
	t.Setenv("GOCACHE", "/caches/go-build")
	t.Setenv("GOPATH", "/gopath:/second")
	t.Setenv("GOMODCACHE", "")
	for _, tt := range []struct {
		args          string
		asked, others []string
	}{
		{"-test.v", nil, []string{wd + "/cpu.out", wd + "/_artifacts/x", wd + "/testdata/fuzz/x"}},
		{"-test.cpuprofile=cpu.out", []string{wd + "/cpu.out"}, []string{wd + "/mem.out", "/cpu.out"}},
		{"-test.memprofile=m -test.outputdir=/out", []string{"/out/m"}, []string{wd + "/m"}},
		{"-test.testlogfile=log -test.outputdir=/out", []string{wd + "/log"}, []string{"/out/log"}},
		{"-test.coverprofile=/abs/c -test.gocoverdir=/cover", []string{"/abs/c", "/cover", "/cover/x"}, []string{"/cover2"}},
		{"-test.artifacts=true -test.outputdir=/out", []string{"/out/_artifacts/x"}, []string{wd + "/_artifacts/x"}},
		{"-test.fuzz=X -test.fuzzcachedir=/fuzz", []string{wd + "/testdata/fuzz/X/1", "/fuzz/1"}, []string{wd + "/testdata/x"}},
		{"notest.cpuprofile=cpu.out", nil, []string{wd + "/cpu.out"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			a := newArtefacts(&config{args: strings.Fields(tt.args)})
			for _, name := range tt.asked {
				assert.True(t, a.asked(name), name)
			}
			for _, name := range tt.others {
				assert.False(t, a.asked(name), name)
			}
			for name, want := range map[string]bool{
				"/caches/go-build/00/x": true, "/caches/go-builder": false,
				"/gopath/pkg/mod/cache": true, "/gopath/pkg/sumdb/x": true, "/gopath/src/x": false, "/second/pkg/mod": false,
			} {
				assert.Equal(t, want, a.cached(name), name)
			}
		})
	}
}

// TestForetold: a name that others can know before it exists, and one that they
// cannot.
func TestForetold(t *testing.T) {
	now := time.Now()
	me, err := user.Current()
	require.NoError(t, err)
	for _, tt := range []struct{ name, why string }{
		{"app.sock", "nothing in it is random"},
		{"app-7.sock", "nothing in it is random"},
		{"app-4711.sock", "it is made of the process id"},
		{"app-" + strconv.Itoa(os.Getpid()), "it is made of the process id"},
		{"app-" + strconv.FormatInt(now.Unix(), 10), "it is made of the time"},
		{"app-" + strconv.FormatInt(now.UnixNano(), 10), "it is made of the time"},
		{"TestUpload-4711.txt", "it is made of the process id and the test's name"},
		{"app-" + me.Username, "it is made of the user or host"},
		{"app-823561907", ""},
		{"app-99999999999999999999", ""}, // no number of 64 bits
		{"app-xK9dQ2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.why, foretold(tt.name, 4711, "TestUpload/sub")) })
	}
}
