//go:build amd64 || arm64

package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/leftover"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// olderKernel is what a run says that is no less complete for it.
const olderKernel = "nothing, but the kernel is older than 5.19: a few calls may have been counted twice"

// clockLag is how far the clock of birth times may lag behind.
const clockLag = time.Second

// finish looks at what is left.
func (w *watch) finish() *result {
	r := &result{Package: w.lines.pkg, Go: w.lines.version, Watched: w.calls, Processes: max(1, len(w.procs))}
	byReal := map[string]*maker{}
	for name, m := range w.made {
		st, err := os.Lstat(name)
		if err != nil || w.before[name] {
			continue
		}
		real := filepath.Clean(name)
		if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
			real = filepath.Join(dir, filepath.Base(name))
		}
		if again, err := os.Lstat(real); err == nil && os.SameFile(st, again) && !w.before[real] && !w.cfg.ignored(real) {
			byReal[real] = m.by
		}
	}
	names := slices.Sorted(maps.Keys(byReal)) // a directory comes before what is in it
	seen := map[string]bool{}
	for _, real := range names {
		st, err := os.Lstat(real)
		if err != nil {
			continue
		}
		if b := birth(real); !b.IsZero() && b.Before(w.began.Add(-clockLag)) {
			continue // it came here by other ways
		}
		seen[real] = true
		switch {
		case w.own.asked(real):
			r.Asked++
			continue
		case w.own.cached(real):
			r.Cached++
			continue
		case insideOf(real, seen):
			continue // counted with its directory
		}
		by := byReal[real]
		l := &leak{rule: rules.R01, Rule: rules.R01.ID(), Path: real, Test: by.test, Where: by.where, Renamed: by.renamed, Via: by.via, Mode: fmt.Sprintf("%#o", st.Mode().Perm())}
		thing := leftover.Look(real, st)
		l.What, l.Size, l.Entries = thing.What, thing.Size, thing.Entries
		r.Leaks = append(r.Leaks, l)
	}
	w.processes(r)
	for _, b := range w.broken {
		slices.Sort(b.Tests)
		slices.Sort(b.Callers)
		r.Broken = append(r.Broken, b)
	}
	slices.SortFunc(r.Broken, func(a, b *brokenRule) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Where, b.Where), cmp.Compare(a.Via, b.Via))
	})
	for what, n := range w.missed {
		r.Missed = append(r.Missed, fmt.Sprintf("%s (%d times)", what, n))
	}
	if !w.tree.Exact() {
		r.Missed = append(r.Missed, olderKernel)
	}
	slices.Sort(r.Missed)
	return r
}

func insideOf(name string, dirs map[string]bool) bool {
	for d := filepath.Dir(name); d != "/" && d != "."; d = filepath.Dir(d) {
		if dirs[d] {
			return true
		}
	}
	return false
}

// processes are those that still run: of each family the eldest.
func (w *watch) processes(r *result) {
	pids := w.tree.Living()
	parents := map[int]int{}
	starts := map[int]maker{}
	for _, pid := range pids {
		parents[pid] = supervise.Parent(pid)
		if p := w.procs[pid]; p != nil {
			starts[pid] = p.start
		}
	}
	for _, pid := range pids { // what a shell started has the line that started the shell
		if up := parents[pid]; slices.Contains(pids, up) && starts[up].empty() {
			starts[up] = starts[pid]
		}
	}
	for _, pid := range pids {
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		if err != nil || slices.Contains(pids, parents[pid]) {
			continue
		}
		start := starts[pid]
		if start.empty() {
			start = w.onlyForker()
		}
		l := &leak{rule: rules.R13, title: leftover.NoProcess, Rule: rules.R13.ID(), Path: strings.TrimSpace(string(comm)), What: "running process", PID: pid, Test: start.test, Where: start.where}
		if !w.cfg.ignored(l.Path) {
			r.Leaks = append(r.Leaks, l)
		}
	}
	if len(pids) > 0 {
		if err := w.serve(); err != nil {
			r.Missed = append(r.Missed, "processes that still run get ENOSYS from calls that make names: "+err.Error())
		}
	}
}

// onlyForker is what started the one process, besides the tests, that has
// started others without running a program in them; nobody where there are two.
func (w *watch) onlyForker() (m maker) {
	for pid := range w.forked {
		p := w.procs[pid]
		switch {
		case pid == w.tree.PID() || p == nil || p.start.empty():
		case m.empty():
			m = p.start
		case m.test != p.start.test || m.where != p.start.where:
			return maker{}
		}
	}
	return m
}
