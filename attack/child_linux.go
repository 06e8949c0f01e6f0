package attack

import (
	"encoding/json"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	c := newChild(call, victim, opt)
	if err := c.settle(); err != nil {
		t.Fatalf("%v: preparing the child: %v", opt.verb, err)
	}
	link, err := supervise.Attach()
	if err != nil {
		t.Fatalf("%v: %v", opt.verb, err)
	}
	c.link = link
	if opt.verb == kills && os.Getenv(envAgain) == "" {
		c.scene.FS, c.scene.point = pointFS{c.scene.FS, c.point}, c.point
	}
	if err := c.serve(); err != nil {
		t.Fatalf("%v: %v", opt.verb, err)
	}
	t.SkipNow()
}

// closeThenAsk and a descriptor is the answer to opDone that has the child
// close it, and ask again.
const closeThenAsk = 1 << 32

func newChild(call *rerun.Call, victim Victim, opt *options) *child {
	root := os.Getenv(envScene)
	if os.Getenv(envAgain) != "" {
		victim, opt = opt.restart, &options{verb: opt.verb}
	}
	return &child{pid: os.Getpid(), ppid: os.Getppid(), call: call, victim: victim, opt: opt,
		scene: &Scene{Dir: root + "/" + dirShared, Home: root + "/" + dirHome, FS: afero.NewOsFs()}, o: &outcome{}}
}

// serve runs the victim until the parent has had enough.
func (c *child) serve() error {
	c.call.ServeEach(c.next)
	return c.err
}

// talker sends messages to the parent, one at a time, and gets its answers.
type talker interface {
	Call(op uint32, data []byte) (int64, error)
}

type child struct {
	pid     int // the real numbers
	ppid    int
	call    *rerun.Call
	victim  Victim
	opt     *options
	scene   *Scene
	link    talker
	wd      string
	env     []string
	cwd     string
	host    string
	user    string
	points  sync.Mutex // one message goes at a time
	parents bool       // the process had children before the first run
	started []string   // and which programs those run

	// of the present run
	phase      string
	o          *outcome
	fault      error // of the test's own function, or of the victim
	goroutines int   // before the victim
	traits     traits
	err        error // the parent is gone
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
	c.started = startedPrograms(c.parents)
	return errors.Join(err, werr, cerr, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// startedPrograms names the programs that this process has started.
func startedPrograms(any bool) []string {
	if !any {
		return nil
	}
	var names []string
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(pids)) {
			name, err := os.ReadFile("/proc/" + pid + "/comm")
			if text := "the process " + printable(strings.TrimSpace(string(name))); err == nil && !slices.Contains(names, text) {
				names = append(names, text)
			}
		}
	}
	if len(names) == 0 {
		return []string{"a process"}
	}
	slices.Sort(names)
	return names
}

// traits are what a victim may change of its process and what cannot be taken
// back, each by a call that is no boundary: an unprivileged process does not
// get a hard limit back.
type traits struct {
	limits   [unix.RLIMIT_RTTIME + 1]unix.Rlimit
	streams  [3]int // flags of the standard descriptors, -1 where one is closed
	uid, gid int
	nice     int
}

func processTraits() traits {
	t := traits{uid: unix.Geteuid(), gid: unix.Getegid()}
	for i := range t.limits {
		_ = unix.Prlimit(0, i, nil, &t.limits[i])
	}
	for fd := range t.streams {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			flags = -1
		}
		t.streams[fd] = flags
	}
	t.nice, _ = unix.Getpriority(unix.PRIO_PROCESS, 0)
	return t
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

// next is what comes next: in one run Setup, the victim, Ensure. After the
// last it reports, and the parent's answer starts another run, or with 0 ends
// the child.
func (c *child) next(end *rerun.Error) func() {
	switch c.phase {
	case inSetup:
		if c.o.Setup = c.said("Setup", end); c.o.Setup == "" {
			if _, c.err = c.link.Call(opPrepared, nil); c.err != nil {
				return nil
			}
			return c.begin()
		}
	case inVictim:
		c.judge(end)
		if c.opt.ensure != nil && c.o.success() {
			c.phase = inEnsure
			if _, c.err = c.link.Call(opReturned, strconv.AppendInt(nil, c.o.Context.End, 10)); c.err != nil {
				return nil
			}
			return func() { c.fault = c.opt.ensure(c.scene) }
		}
	case inEnsure:
		c.o.Ensure = c.said("Ensure", end)
	}
	data, err := json.Marshal(c.o)
	if err != nil {
		data = nil
	}
	answer := int64(closeThenAsk)
	for answer >= closeThenAsk {
		answer, err = c.link.Call(opDone, data)
		if c.err = err; err != nil || answer == 0 {
			return nil
		}
		if answer >= closeThenAsk {
			_ = unix.Close(int(answer - closeThenAsk))
		}
	}
	c.restore()
	reseedAfero()
	c.o = &outcome{Started: c.started, Context: context{PID: c.pid, PPID: c.ppid, UID: os.Getuid(), GID: os.Getgid(),
		User: c.user, Host: c.host, Begin: time.Now().UnixNano()}}
	if c.opt.setup != nil {
		c.phase = inSetup
		return func() { c.fault = c.opt.setup(c.scene) }
	}
	return c.begin()
}

// begin makes ready for the victim.
func (c *child) begin() func() {
	c.phase = inVictim
	unix.Umask(0)
	c.goroutines = runtime.NumGoroutine()
	c.traits = processTraits()
	return func() { c.fault = callVictim(c.victim, c.scene) }
}

// said is what one of the test's own functions says against the run.
func (c *child) said(what string, end *rerun.Error) string {
	switch {
	case end != nil:
		return brief(what + ": " + end.Detail)
	case c.fault != nil:
		return brief(c.fault.Error())
	}
	return ""
}

// judge fills in how the victim came back.
func (c *child) judge(end *rerun.Error) {
	o := c.o
	o.Context.End = time.Now().UnixNano()
	switch {
	case end == nil:
		o.End, o.Nil = returned, c.fault == nil
		if c.fault != nil {
			o.Err = brief(c.fault.Error())
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
	o.Goroutines = lingering(c.goroutines)
	o.Processes = c.children()
	var reaped unix.Rusage
	o.Ran = o.Processes > 0 || unix.Getrusage(unix.RUSAGE_CHILDREN, &reaped) == nil && reaped.Maxrss > 0
	o.Changed = processTraits() != c.traits
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

// point tells the parent where the victim is, and does what it answers.
func (c *child) point(op, name string) {
	c.points.Lock()
	answer, err := c.link.Call(opPoint, []byte(op+"\x00"+name))
	c.points.Unlock()
	switch {
	case err != nil: // the supervisor is gone: this process ends in a moment
	case answer == pointPanic:
		panic(injectedPanic)
	case answer == pointGoexit:
		runtime.Goexit()
	}
}
