//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program writes a file with the head of an ELF program: 64 bits, little
// endian, a machine and perhaps an interpreter.
func program(t *testing.T, machine byte, interpreted bool) string {
	t.Helper()
	head := make([]byte, 64+56)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20] = 2, machine, 1
	head[32], head[52], head[54], head[56] = 64, 64, 56, 1
	head[64] = 1 // PT_LOAD
	if interpreted {
		head[64] = 3
	}
	path := filepath.Join(t.TempDir(), "some.test")
	require.NoError(t, os.WriteFile(path, head, 0o755))
	return path
}

const (
	x86  = 0x3e
	arm  = 0xb7
	i386 = 0x03
)

func TestParse(t *testing.T) {
	amd64, arm64 := program(t, x86, false), program(t, arm, false)
	for _, tt := range []struct {
		name string
		argv []string
		err  string // a part of it; empty: none
		want func(t *testing.T, opt *options)
	}{
		{"architecture from the program", []string{"5.10", arm64, "-test.v"}, "", func(t *testing.T, opt *options) {
			assert.Equal(t, []string{"5.10", "arm64", arm64}, []string{opt.series, opt.arch, opt.program})
			assert.Equal(t, []string{"-test.v"}, opt.args)
			assert.Equal(t, []any{0, "tmpfs", 10 * time.Minute}, []any{opt.user, opt.scene, opt.timeout})
		}},
		{"architecture named", []string{"6.12", "amd64", amd64}, "", func(t *testing.T, opt *options) { assert.Equal(t, "amd64", opt.arch) }},
		{"another architecture", []string{"6.12", "amd64", arm64}, "was built for arm64: set GOARCH=amd64", nil},
		{"the program's flags are its own", []string{"7", amd64, "-user", "3", "--", "-x"}, "", func(t *testing.T, opt *options) {
			assert.Equal(t, []string{"-user", "3", "--", "-x"}, opt.args)
			assert.Zero(t, opt.user)
		}},
		{"settings", []string{"-user", "65534", "-fs", "ext4", "-multi", "-sysctl", "a.b=1 c=2", "-sysctl", "d=3", "-env", "X Y", "6.1", amd64}, "", func(t *testing.T, opt *options) {
			assert.Equal(t, []string{"a.b=1", "c=2", "d=3"}, opt.sysctls)
			assert.Equal(t, []string{"X", "Y"}, opt.env)
			assert.Equal(t, []any{65534, "ext4", true}, []any{opt.user, opt.scene, opt.multi})
		}},
		{"a minute more than the test", []string{"7", amd64, "-test.timeout=2m0s"}, "", func(t *testing.T, opt *options) { assert.Equal(t, 3*time.Minute, opt.timeout) }},
		{"without the test's timeout", []string{"7", amd64, "-test.timeout=0"}, "", func(t *testing.T, opt *options) { assert.Equal(t, 10*time.Minute, opt.timeout) }},
		{"own timeout", []string{"-timeout", "5s", "7", amd64, "-test.timeout=2m0s"}, "", func(t *testing.T, opt *options) { assert.Equal(t, 5*time.Second, opt.timeout) }},
		{"wanted files once", []string{"-back", "/a/b /c", "7", amd64, "-test.coverprofile=/a/b"}, "", func(t *testing.T, opt *options) { assert.Equal(t, []string{"/a/b", "/c"}, opt.back) }},

		{"nothing", nil, "which kernel, and which program?", nil},
		{"no program", []string{"5.10", "arm64"}, "which program?", nil},
		{"unknown series", []string{"5.4", amd64}, `unknown kernel series "5.4": 5.10, 6.1, 6.12, 7`, nil},
		{"unknown flag", []string{"-x", "5.10", amd64}, "flag provided but not defined: -x", nil},
		{"setting without value", []string{"-sysctl", "kernel.yama.ptrace_scope", "5.10", amd64}, "want name=value", nil},
		{"unknown file system", []string{"-fs", "zfs", "5.10", amd64}, `-fs "zfs": tmpfs, ext4 or overlay`, nil},
		{"user", []string{"-user", "-1", "5.10", amd64}, "-user -1: a number from 0 to 65535", nil},
		{"no CPU", []string{"-smp", "0", "5.10", amd64}, "a guest needs a CPU and 256 MiB", nil},
		{"no such program", []string{"5.10", "/nonexistent"}, "/nonexistent is no Linux program", nil},
		{"a script", []string{"5.10", "init.sh"}, "init.sh is no Linux program", nil},
		{"cgo", []string{"5.10", program(t, x86, true)}, "build it with CGO_ENABLED=0", nil},
		{"32 bits", []string{"5.10", program(t, i386, false)}, "was built for EM_386", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOCOVERDIR", "") // set by go test -cover
			opt, err := parse(tt.argv, io.Discard)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			tt.want(t, opt)
		})
	}
}

func TestOutputs(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, tt := range []struct {
		name, coverDir string
		args, want     []string
	}{
		{"none", "", []string{"-test.v", "-test.run=-test.coverprofile"}, nil},
		{"coverage", "", []string{"-test.gocoverdir=/w/cover", "-test.coverprofile=/w/c.out", "-test.outputdir=/o"}, []string{"/w/c.out", "/w/cover"}},
		{"GOCOVERDIR", "/w/g", nil, []string{"/w/g"}},
		{"profiles go to the output directory", "", []string{"-test.outputdir=/o", "-test.cpuprofile=cpu", "--test.trace=t"}, []string{"/o/cpu", "/o/t"}},
		{"or here", "", []string{"-test.memprofile=mem"}, []string{filepath.Join(here, "mem")}},
		{"artifacts", "", []string{"-test.artifacts", "-test.outputdir=/o"}, []string{"/o/_artifacts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := outputs(tt.args, tt.coverDir)
			require.NoError(t, err)
			assert.ElementsMatch(t, tt.want, got)
		})
	}
}
