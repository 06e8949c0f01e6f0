package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// serve is the child: it runs the victim as often as the parent says, and
// ends the test.
func serve(t *testing.T, call *rerun.Call, victim Victim, opt *options) {
	root := os.Getenv(envScene)
	c := &child{call: call, victim: victim, opt: opt,
		scene: &Scene{Dir: root + "/" + dirShared, Home: root + "/" + dirHome, FS: afero.NewOsFs()}}
	if err := c.settle(); err != nil {
		t.Fatalf("attack.Prove: preparing the child: %v", err)
	}
	link, err := supervise.Attach()
	if err != nil {
		t.Fatalf("attack.Prove: %v", err)
	}
	c.link = link
	o := &outcome{}
	for {
		data, err := json.Marshal(o)
		if err != nil {
			data = nil
		}
		answer, err := link.Call(opDone, data)
		if err != nil {
			t.Fatalf("attack.Prove: %v", err)
		}
		if answer == 0 {
			t.SkipNow()
		}
		o = c.once()
	}
}

type child struct {
	call    *rerun.Call
	victim  Victim
	opt     *options
	scene   *Scene
	link    *supervise.Child
	wd      string
	env     []string
	cwd     string
	host    string
	user    string
	parents bool // the process had children before the first run
}

// settle makes the process what a victim expects: TMPDIR is the scene's
// directory, orphans come to it.
func (c *child) settle() error {
	var err error
	for _, v := range []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"} {
		err = errors.Join(err, os.Setenv(v, c.scene.Dir))
	}
	c.env = os.Environ()
	wd, werr := os.Getwd()
	c.wd = wd
	var buf [unix.PathMax]byte
	n, cerr := unix.Getcwd(buf[:])
	c.cwd = string(buf[:max(n-1, 0)]) // may be another name of the same directory
	c.host, _ = os.Hostname()
	if u, uerr := user.Current(); uerr == nil {
		c.user = u.Username
	}
	_, none := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	c.parents = none != unix.ECHILD
	return errors.Join(err, werr, cerr, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// restore takes back what a run may have changed of the process: a victim is
// not judged by what it did to the next one.
func (c *child) restore() {
	unix.Umask(0o022)
	var buf [unix.PathMax]byte
	// Not os.Getwd: it looks the name up, and each look is a stop.
	if n, err := unix.Getcwd(buf[:]); err != nil || string(buf[:max(n-1, 0)]) != c.cwd {
		_ = os.Chdir(c.wd)
	}
	if slices.Equal(os.Environ(), c.env) {
		return
	}
	os.Clearenv()
	for _, v := range c.env {
		if i := strings.IndexByte(v[1:], '=') + 1; i > 0 {
			_ = os.Setenv(v[:i], v[i+1:])
		}
	}
	c.env = os.Environ()
}

// once is one run: Setup, the victim, Ensure.
func (c *child) once() *outcome {
	c.restore()
	o := &outcome{Context: context{PID: os.Getpid(), PPID: os.Getppid(), UID: os.Getuid(), GID: os.Getgid(),
		User: c.user, Host: c.host, Begin: time.Now().UnixNano()}}
	if c.opt.setup != nil {
		if err := c.guarded("Setup", c.opt.setup); err != nil {
			o.Setup = brief(err.Error())
			return o
		}
		if _, err := c.link.Call(opPrepared, nil); err != nil {
			o.Setup = err.Error()
			return o
		}
	}
	unix.Umask(0)
	before := runtime.NumGoroutine()
	var err error
	end := c.call.Serve(func() { err = callVictim(c.victim, c.scene) })
	o.Context.End = time.Now().UnixNano()
	switch {
	case end == nil:
		o.End, o.Nil = returned, err == nil
		if err != nil {
			o.Err = brief(err.Error())
		}
	case end.Kind == rerun.Panicked:
		o.End, o.Text = panicked, brief(strings.TrimPrefix(end.Detail, "the function under test panicked: "))
	case end.Kind == rerun.Goexited:
		o.End, o.Text = goexit, end.Detail
	case end.Kind == rerun.Nested:
		o.End, o.Text = failed, "called attack.Prove or the like itself: "+brief(end.Detail)
	default:
		o.End, o.Text = failed, strings.TrimPrefix(end.Detail, "the function under test ")
	}
	o.Goroutines = lingering(before)
	o.Processes = c.children()
	if c.opt.ensure != nil && o.success() {
		if _, err := c.link.Call(opReturned, nil); err != nil {
			o.Ensure = err.Error()
			return o
		}
		if err := c.guarded("Ensure", c.opt.ensure); err != nil {
			o.Ensure = brief(err.Error())
		}
	}
	return o
}

// guarded runs one of the test's own functions.
func (c *child) guarded(what string, f func(*Scene) error) (err error) {
	end := c.call.Serve(func() { err = f(c.scene) })
	if end != nil {
		return fmt.Errorf("%s: %s", what, end.Detail)
	}
	return err
}

// lingering counts goroutines that the victim started and that go on. Those
// that are about to end get the chance: one that has said that it is done, and
// lost its thread's turn on a busy machine right then, would cost a process for
// each run.
func lingering(before int) int {
	for pause := time.Duration(0); ; pause = 2*pause + time.Microsecond {
		switch n := runtime.NumGoroutine() - before; {
		case n <= 0:
			return 0
		case pause > lastPause:
			return n
		}
		time.Sleep(pause)
	}
}

// children counts the processes that the victim left running: whoever it
// orphaned has become this process's child.
func (c *child) children() int {
	for !c.parents {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0
		case pid == 0:
			return 1
		}
	}
	return 0
}
