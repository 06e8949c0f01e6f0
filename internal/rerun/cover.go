package rerun

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
)

const coverFlag = "test.gocoverdir"

// Package testing adds what a process has covered to a directory when it ends, and
// reads there what all others have added, for a percentage. The time of a thousand
// children would grow with the square of their number; so each has a directory of
// its own below, from which the parent takes its counters when it has ended.

func coverDir() (flag.Value, string) {
	f := flag.Lookup(coverFlag)
	if f == nil || f.Value.String() == "" {
		return nil, ""
	}
	return f.Value, f.Value.String()
}

// CoverDir is where this process adds what it has covered, "" without -cover.
func CoverDir() string {
	_, dir := coverDir()
	return dir
}

func coverDirOf(dir string, pid int) string { return filepath.Join(dir, "child-"+strconv.Itoa(pid)) }

// coverApart is called in the child.
func coverApart() {
	if v, dir := coverDir(); v != nil {
		if own := coverDirOf(dir, os.Getpid()); os.Mkdir(own, 0o700) == nil {
			_ = v.Set(own)
		}
	}
}

// countCovered adds what a child that has ended covered to the go command's
// profile, where one is made.
func countCovered(pid int) {
	v, dir := coverDir()
	if v == nil {
		return
	}
	TakeCounters(coverDirOf(dir, pid), dir)
}

// TakeCounters moves the counters of a process that has ended up to those of
// the run.
func TakeCounters(own, dir string) {
	counters, _ := filepath.Glob(filepath.Join(own, "covcounters.*"))
	for _, name := range counters {
		_ = os.Rename(name, filepath.Join(dir, filepath.Base(name)))
	}
	_ = os.RemoveAll(own)
}
