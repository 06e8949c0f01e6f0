//go:build amd64 || arm64

package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/lookup"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// errUnseen is about a directory that has no name here.
var errUnseen = errors.New("that a process made in a mount namespace of its own")

// given is a path as the program gave it, absolute and not resolved, by which
// nests are known; false when it may mean something else to the program than
// here, or could not be read.
func (w *watch) given(ev *supervise.Event, p supervise.Path) (string, bool) {
	if w.shifted || ev.Resolve != 0 {
		return "", false
	}
	name, err := ev.Abs(p)
	for _, magic := range []string{"/proc/", "/dev/fd/", "/dev/std"} {
		if strings.HasPrefix(name, magic) {
			return "", false
		}
	}
	return strings.TrimRight(name, "/"), err == nil
}

// find looks a path of a call up as the kernel will: in the thread's own root,
// working directory, descriptors and mounts. The name is that of the last entry
// that is looked up, its directory without links: they may be gone when the
// tests have ended. It is "" when the path leads nowhere, or to no name. there
// says what stands at it, nil for nothing.
func (w *watch) find(ev *supervise.Event, p supervise.Path) (name string, there *lookup.Object, err error) {
	if p.Err != nil {
		return "", nil, nil // the call fails
	}
	k := lookup.Walk{PID: ev.PID, TID: ev.TID}
	if !w.shifted {
		k.Plain = func(*lookup.Place) bool { return true }
	}
	r := k.Resolve(lookup.Path{Raw: p.Raw, Dir: p.Dir, Follow: p.Follow, Resolve: ev.Resolve})
	defer r.Close()
	if r.Dir.FD() < 0 {
		return "", nil, nil
	}
	if name, err = nameOf(&r.Dir); err != nil {
		return "", nil, err
	}
	if name = strings.TrimSuffix(name, "/") + "/" + r.Name; r.Err == nil {
		there = &r.End.Object
	}
	return name, there, nil
}

// nameOf is what a directory is called here.
func nameOf(dir *lookup.Place) (string, error) {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(dir.FD()))
	if err != nil {
		return "", err
	}
	if dir.Links == 0 || strings.HasSuffix(name, " (deleted)") {
		return "", errors.New("relative to " + name)
	}
	o, err := lookup.Stat(unix.AT_FDCWD, name, 0)
	if err != nil || o.Ino != dir.Ino || o.Dev != dir.Dev || o.Born != dir.Born {
		return "", errUnseen
	}
	return name, nil
}
