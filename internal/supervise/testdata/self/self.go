// Package self lets a program supervise itself: the parent prints, for each
// call that names something of a directory, the line of package main behind
// it.
package self

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
)

const env = "TEST_SELF_DIR"

// Main runs victim as a supervised child of this program.
func Main(victim func(dir string)) {
	var err error
	if dir := os.Getenv(env); dir != "" {
		err = child(dir, victim)
	} else {
		err = parent()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(dir string, victim func(string)) error {
	c, err := supervise.Attach()
	if err != nil {
		return err
	}
	victim(dir)
	_, err = c.Call(supervise.OpUser, nil)
	return err
}

func parent() error {
	runtime.LockOSThread()
	dir, err := os.MkdirTemp("", "self-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), env+"="+dir, "GODEBUG=asyncpreemptoff=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	deadline := time.Now().Add(time.Minute)
	tree, err := supervise.Start(cmd, supervise.Names, deadline)
	if err != nil {
		return err
	}
	for {
		ev, err := tree.Next(deadline)
		if err != nil {
			return errors.Join(err, tree.Kill())
		}
		switch ev.Type {
		case supervise.Gone:
			return tree.Kill()
		case supervise.Message:
			tree.Answer(ev, 0)
			continue
		}
		if !ev.Repeat {
			for _, p := range ev.Paths {
				if name, ok := strings.CutPrefix(p.Raw, dir+"/"); ok {
					name, _, _ = strings.Cut(name, "-")
					fmt.Println(name, ev.Name, line(tree, ev))
				}
			}
		}
		tree.Continue(ev)
	}
}

// line is the innermost line of main.go.
func line(tree *supervise.Tree, ev *supervise.Event) string {
	st, err := tree.Stack(ev)
	if err != nil {
		return "none: " + err.Error()
	}
	for _, f := range st.Frames {
		if filepath.Base(f.File) == "main.go" && strings.HasPrefix(f.Function, "main.") {
			return fmt.Sprint(f.Line)
		}
	}
	return fmt.Sprintf("none in %d frames", len(st.Frames))
}
