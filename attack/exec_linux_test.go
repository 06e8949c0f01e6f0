package attack_test

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// What execve opens beside the program: the interpreter of a script and the
// loader of a program.

// scriptIn is a Setup that makes a script in Home.
func scriptIn(name, firstLine string) func(s *attack.Scene) error {
	return func(s *attack.Scene) error {
		return os.WriteFile(filepath.Join(s.Home, name), []byte(os.Expand(firstLine, func(v string) string {
			return map[string]string{"DIR": s.Dir, "HOME": s.Home}[v]
		})+"\n"), 0o700)
	}
}

func setups(steps ...func(s *attack.Scene) error) attack.Option {
	return attack.Setup(func(s *attack.Scene) error {
		var err error
		for _, step := range steps {
			err = errors.Join(err, step(s))
		}
		return err
	})
}

// runIfWhole runs a program of Home's, unless what it needs is missing.
func runIfWhole(name, wd string) attack.Victim {
	return func(s *attack.Scene) error {
		cmd := exec.Command(filepath.Join(s.Home, name), "argument")
		cmd.Dir = os.Expand(wd, func(string) string { return s.Dir })
		if wd == "" {
			cmd.Dir = s.Home
		}
		if _, err := os.Lstat(s.Path("absent")); err == nil { // so that something in the scene is named
			return errors.New("exists")
		}
		if err := cmd.Run(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
}

// program is a Setup that makes a program in Home whose loader has a name.
func program(name, loader string) func(s *attack.Scene) error {
	return func(s *attack.Scene) error {
		at := os.Expand(loader, func(v string) string { return map[string]string{"DIR": s.Dir, "HOME": s.Home}[v] })
		return os.WriteFile(filepath.Join(s.Home, name), loaded(at), 0o700)
	}
}

// loaded is a program with nothing in it but the name of its loader.
func loaded(loader string) []byte {
	le := binary.LittleEndian
	b := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT))
	b = append(b, make([]byte, 9)...)
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	const header = 64 + 2*56
	size := uint64(header + len(loader) + 1)
	b = le.AppendUint16(b, uint16(elf.ET_DYN))
	b = le.AppendUint16(b, uint16(machine))
	b = le.AppendUint32(b, uint32(elf.EV_CURRENT))
	for _, v := range []uint64{header, 64, 0} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 2, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	segment := func(t elf.ProgType, flags elf.ProgFlag, words ...uint64) {
		b = le.AppendUint32(b, uint32(t))
		b = le.AppendUint32(b, uint32(flags))
		for _, v := range words {
			b = le.AppendUint64(b, v)
		}
	}
	n := uint64(len(loader) + 1)
	segment(elf.PT_INTERP, elf.PF_R, header, header, header, n, n, 1)
	segment(elf.PT_LOAD, elf.PF_R|elf.PF_X, 0, 0, 0, size, size, 0x10000)
	return append(append(b, loader...), 0)
}

var execTests = []victimTest{
	{name: "the interpreter is in Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$DIR/tool"))}, want: "X03"},
	{name: "the interpreter is in Home", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$HOME/tool"))}},
	{name: "the interpreter is the system's, the argument in Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!/bin/true $DIR/tool"))}},
	{name: "blanks before and after it", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#! \t$DIR/tool\t -x y "))}, want: "X03"},
	{name: "below a directory of Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$DIR/bin/tool"),
		func(s *attack.Scene) error { return os.Mkdir(s.Path("bin"), 0o755) }), attack.Unsticky()}, want: "X03"},
	{name: "below a private directory of Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$DIR/bin/tool"),
		func(s *attack.Scene) error { return os.Mkdir(s.Path("bin"), 0o700) })}},
	{name: "a relative interpreter, in Dir", victim: runIfWhole("run", "$DIR"), opts: []attack.Option{setups(scriptIn("run", "#!tool"))}, want: "X03"},
	{name: "a relative interpreter, in Home", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!tool"))}},
	{name: "the interpreter is a script whose interpreter is in Dir", victim: runIfWhole("run", ""),
		opts: []attack.Option{setups(scriptIn("run", "#!$HOME/a"), scriptIn("a", "#!$HOME/b x"), scriptIn("b", "#!$HOME/c"), scriptIn("c", "#!$DIR/tool"))}, want: "X03"},
	{name: "one script too many before it", victim: func(s *attack.Scene) error {
		_ = runIfWhole("run", "")(s) // ELOOP, or ENOENT
		return nil
	}, opts: []attack.Option{setups(scriptIn("run", "#!$HOME/a"), scriptIn("a", "#!$HOME/b"), scriptIn("b", "#!$HOME/c"), scriptIn("c", "#!$HOME/d"), scriptIn("d", "#!$HOME/e"), scriptIn("e", "#!$HOME/f"), scriptIn("f", "#!$DIR/tool"))}},
	{name: "env looks for it elsewhere", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!/usr/bin/env true"))}},
	{name: "the script is in Dir, its interpreter too", victim: func(s *attack.Scene) error {
		if err := exec.Command(s.Path("run")).Run(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}, opts: []attack.Option{attack.Setup(func(s *attack.Scene) error {
		return os.WriteFile(s.Path("run"), []byte("#!"+s.Path("tool")+"\n"), 0o700)
	})}, want: "X03"},
	{name: "by descriptor", victim: func(s *attack.Scene) error {
		fd, err := unix.Open(filepath.Join(s.Home, "run"), unix.O_PATH, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)).Run(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}, opts: []attack.Option{setups(scriptIn("run", "#!$DIR/tool"))}, want: "X03"},
	{name: "the loader is in Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(program("run", "$DIR/ld.so"))}, want: "X03"},
	{name: "the loader is in Home", victim: runIfWhole("run", ""), opts: []attack.Option{setups(program("run", "$HOME/ld.so"))}},
	{name: "the loader is below a directory of Dir that is missing", victim: runIfWhole("run", ""), opts: []attack.Option{setups(program("run", "$DIR/lib/ld.so"))}, want: "X03"},
	{name: "the interpreter is below a directory of Dir that is missing", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$DIR/bin/tool"))}, want: "X03"},
	{name: "a relative loader, in Dir", victim: runIfWhole("run", "$DIR"), opts: []attack.Option{setups(program("run", "ld.so"))}, want: "X03"},
	{name: "a script whose interpreter has its loader in Dir", victim: runIfWhole("run", ""), opts: []attack.Option{setups(scriptIn("run", "#!$HOME/a"), program("a", "$DIR/ld.so"))}, want: "X03"},
}

// TestExec: what the kernel looks up to run a program is looked up.
func TestExec(t *testing.T) {
	for _, tt := range attack.RaceSample(execTests) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, attack.Prove)
		})
	}
}
