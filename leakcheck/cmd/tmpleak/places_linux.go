//go:build amd64 || arm64

package main

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// place is what others can do in a directory.
type place struct {
	shared   bool // it is, or lies below, a directory that others can write, and they can come here
	writable bool // others can make names here
	system   bool // the whole system shares it
}

// places knows directories. What it knows is forgotten when their names change;
// a later chmod is not seen.
type places struct{ known map[string]place }

func newPlaces() *places { return &places{known: map[string]place{}} }

const mostPlaces = 10_000

func (p *places) changed(name string) {
	if _, ok := p.known[name]; ok {
		clear(p.known)
	}
}

// of judges a directory.
func (p *places) of(dir string) place {
	if pl, ok := p.known[dir]; ok {
		return pl
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return place{}
	}
	var pl place
	reach := true // by users that are neither the owner nor of the group
	at := "/"
	for part := range strings.SplitSeq(strings.TrimPrefix(real, "/")+"/", "/") {
		var st unix.Stat_t
		if unix.Lstat(at, &st) != nil {
			return place{}
		}
		reach = reach && st.Mode&0o001 != 0
		pl.writable = reach && st.Mode&0o002 != 0
		pl.shared = reach && (pl.shared || pl.writable)
		if part == "" {
			break
		}
		at = filepath.Join(at, part)
	}
	pl.system = slices.Contains(systemDirs, real)
	if len(p.known) >= mostPlaces {
		clear(p.known)
	}
	p.known[dir] = pl
	return pl
}

// systemDirs are those of C11.
var systemDirs = []string{"/tmp", "/var/tmp", "/usr/tmp", "/dev/shm"}
