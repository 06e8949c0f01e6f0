//go:build amd64 || arm64

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// Names of this program, as argument zero, under which it does something else.
const (
	asLauncher = "tmpleak-launch" // becomes the test binary: program, arguments
	asServer   = "tmpleak-serve"  // answers on descriptor 3
)

const (
	startPatience = 30 * time.Second
	// A process that a test ended without waiting for it has this long to end.
	endPatience = 500 * time.Millisecond
	// noPrograms is what ends of lists with, more bound.
	moment = 50 * time.Millisecond
)

// special does what this program was started for by itself.
func special() {
	switch os.Args[0] {
	case asLauncher:
		fmt.Fprintln(os.Stderr, "tmpleak:", supervise.Launch(os.Args[1], os.Args[1:]))
		os.Exit(statusUnchecked)
	case asServer:
		fd, err := strconv.Atoi(os.Args[1])
		if err == nil {
			err = supervise.ContinueAll(fd)
		}
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// run runs the tests under watch.
func run(cfg *config) int {
	runtime.LockOSThread() // the tests end when this thread does
	debug.SetGCPercent(1000)
	if missing := supervise.MissingProc(); missing != "" {
		return unwatched(cfg, missing)
	}
	began := time.Now()
	set := supervise.Creates
	if cfg.strict {
		set = supervise.Names
	}
	w := newWatch(cfg)
	cmd := exec.Command("/proc/self/exe", append([]string{cfg.program}, cfg.args...)...)
	cmd.Args[0] = asLauncher
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// Package attack supervises too, which the kernel lets only one do: its tests
	// run once more outside of this tree. Without, they say why they do not work.
	if setting, err := rerun.ServeOutside(cfg.program); err == nil {
		cmd.Env = append(os.Environ(), setting)
	}
	tree, err := supervise.StartProgram(cmd, cfg.program, set, time.Now().Add(startPatience))
	if err != nil {
		return unwatched(cfg, err.Error())
	}
	w.tree = tree
	stop := passSignals(cmd.Process)
	err = w.follow()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tmpleak:", err)
		w.missed["what came after an error of the supervisor: "+err.Error()]++
	}
	state, err := tree.Wait(time.Now().Add(endPatience))
	if err != nil {
		fmt.Fprintln(os.Stderr, "tmpleak: the tests did not end:", err)
		return 1
	}
	code := statusOf(state)
	r := w.finish()
	r.Status, r.Seconds = state.String(), time.Since(began).Seconds()
	r.interrupted = code < 0 || code == 2 && len(r.Leaks) > 0
	fmt.Fprint(os.Stderr, r.text(cfg))
	if cfg.report != "" {
		if err := r.write(cfg.report); err != nil {
			fmt.Fprintln(os.Stderr, "tmpleak: -report:", err)
			code = worse(code)
		}
	}
	if r.fails(cfg) {
		code = worse(code)
	}
	return code
}

// worse is the exit status of a run that would have passed.
func worse(code int) int {
	if code == 0 {
		return 1
	}
	return code
}

// follow answers calls until the tests have ended, and what they started, if it
// ends soon.
func (w *watch) follow() error {
	var end, looked time.Time
	for {
		ev, err := w.tree.Next(time.Now().Add(moment))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err == nil {
			if ev.Type == supervise.Gone {
				return nil
			}
			w.at(ev)
			w.tree.Continue(ev)
		}
		now := time.Now()
		switch {
		case !end.IsZero():
			if now.After(end) {
				return nil
			}
		case now.Sub(looked) >= moment:
			looked = now
			if _, err := w.tree.Wait(time.Time{}); err == nil {
				end = now.Add(endPatience)
			}
		}
	}
}

// serve starts a process that goes on answering for processes that the tests
// left behind, so that they can do what they would without tmpleak.
func (w *watch) serve() error {
	f, err := w.tree.Listener()
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command("/proc/self/exe", "3")
	cmd.Args[0] = asServer
	cmd.ExtraFiles = []*os.File{f}
	return cmd.Start()
}
