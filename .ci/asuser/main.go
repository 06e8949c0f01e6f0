// asuser runs a program as uid and gid 65534, for `go test -exec`: the
// unprivileged half of the gate. It needs to be root, and gives the program a
// TMPDIR and a HOME of its own that it removes afterwards. GOCACHE is the one
// that ASUSER_GOCACHE names, which the user must be able to use, else HOME's.
// A coverage profile is written in TMPDIR, and goes where it was asked for.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const nobody = 65534

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: asuser PROGRAM [ARG ...]"))
	}
	tmp, err := os.MkdirTemp("", "asuser-")
	if err != nil {
		fail(err)
	}
	code, err := run(tmp, os.Args[1:])
	if rerr := os.RemoveAll(tmp); err == nil {
		err = rerr
	}
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "asuser:", err)
	os.Exit(125)
}

// covered has package testing write what is covered to profile, by way of dir,
// and gives the name of the file for which that is.
func covered(args []string, profile, dir string) (list []string, wanted string) {
	for _, arg := range args {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "-test.coverprofile":
			wanted, arg = value, name+"="+profile
		case "-test.gocoverdir":
			arg = name + "=" + dir
		}
		list = append(list, arg)
	}
	return list, wanted
}

// run copies the program to a place that the user can reach (go test builds
// it below a 0700 directory) and runs it there.
func run(tmp string, argv []string) (int, error) {
	bin := filepath.Join(tmp, filepath.Base(argv[0]))
	data, err := os.ReadFile(argv[0])
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(bin, data, 0o755); err != nil {
		return 0, err
	}
	own := filepath.Join(tmp, "tmp")
	if err := os.Mkdir(own, 0o700); err != nil {
		return 0, err
	}
	if err := errors.Join(os.Chmod(tmp, 0o755), os.Chown(own, nobody, nobody)); err != nil {
		return 0, err
	}
	profile := filepath.Join(own, "cover.out")
	args, wanted := covered(argv[1:], profile, own)
	cmd := exec.Command(bin, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "TMPDIR="+own, "HOME="+own, "USER=nobody",
		"GOCACHE="+os.Getenv("ASUSER_GOCACHE")) // not root's
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	err = cmd.Run()
	if data, rerr := os.ReadFile(profile); rerr == nil && wanted != "" {
		if werr := os.WriteFile(wanted, data, 0o644); werr != nil {
			return 0, werr
		}
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if exit.ExitCode() < 0 {
			return 0, fmt.Errorf("%s: %s", argv[0], exit)
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}
