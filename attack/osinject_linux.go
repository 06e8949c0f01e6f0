package attack

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// injected is what a schedule has done to the victim's calls in this run, and
// what is to be taken back.
type injected struct {
	restore func()           // ends the limit that cuts a write
	held    *supervise.Event // the call at which a signal was sent
	sent    syscall.Signal
	calm    time.Time // since when all threads sleep
	// standIns are descriptors of the child that hold the place of files whose
	// close failed: the next run must not find them.
	standIns []int
	alike    likeness
	tries    int // that failed alike
}

// maxTries is for a free name, in one run: more than the 238,328 (TMP_MAX) of
// the C library's mkstemp.
const maxTries = 240_000

// likeness is a call that others are compared with.
type likeness struct {
	call, dir string
	fd        int
	flags     uint64
	errno     syscall.Errno
}

func likenessOf(ev *supervise.Event, errno syscall.Errno) likeness {
	if len(ev.Paths) != 1 {
		return likeness{}
	}
	dir, _ := path.Split(ev.Paths[0].Raw)
	return likeness{ev.Name, dir, ev.Paths[0].Dir, ev.Flags, errno}
}

// failsAlike answers one more of thousands of tries for a free name.
func (w *osWorld) failsAlike(ev *supervise.Event) bool {
	if w.alike == (likeness{}) || likenessOf(ev, w.alike.errno) != w.alike {
		return false
	}
	w.calls-- // these are counted apart
	w.tries++
	w.clock.start()
	if w.tries > cmp.Or(w.opt.calls, maxTries) {
		w.alike = likeness{} // the next one is met, and ends the run
		w.calls = w.opt.maxCalls()
		return false
	}
	w.tree.Fail(ev, w.alike.errno)
	return true
}

// The answers to opPoint.
const (
	pointGoOn = iota + 1
	pointPanic
	pointGoexit
)

// inject answers a call otherwise than by letting it go.
func (w *osWorld) inject(b *boundary, ev *supervise.Event) (*outcome, error) {
	switch b.answer.act {
	case fail:
		if b.answer.alike {
			w.alike = likenessOf(ev, b.answer.errno)
		}
		if b.kind != supervise.Close {
			w.tree.Fail(ev, b.answer.errno)
			return nil, nil
		}
		if err := w.tree.FailClose(ev, b.answer.errno); err != nil {
			w.tree.Continue(ev)
			return nil, fmt.Errorf("a close cannot be made to fail: %w", err)
		}
		if ev.PID == w.tree.PID() {
			w.standIns = append(w.standIns, ev.FD)
		}
	case short:
		restore, err := w.tree.Shorten(ev)
		if err != nil {
			w.tree.Continue(ev)
			return nil, fmt.Errorf("a write cannot be cut: %w", err)
		}
		w.restore = restore
		w.inCall[ev.TID] = true
	case kill:
		if b.answer.sig == syscall.SIGKILL {
			err := w.tree.Kill()
			w.d.forget()
			return w.lost(killed, ""), err
		}
		w.held, w.sent = ev, b.answer.sig
		if err := w.tree.Signal(ev.TID, b.answer.sig); err != nil {
			return nil, fmt.Errorf("sending the signal: %w", err)
		}
	default:
		w.tree.Continue(ev)
		return nil, fmt.Errorf("nothing of that kind can be injected at %s", b.call)
	}
	return nil, nil
}

// mend ends the limit on the last write: its next one is not cut.
func (w *osWorld) mend() {
	if w.restore != nil {
		w.restore()
		w.restore = nil
	}
}

const (
	handlerGlance = 5 * time.Millisecond
	// handlerWait is longer than the Go scheduler leaves a goroutine that could
	// run while all threads sleep: 10 ms, after which its monitor thread hands
	// it on.
	handlerWait = 30 * time.Millisecond
)

// quiet says that the handler of the signal that was sent, and whatever it
// has set free, has come to a standstill: all threads sleep, and did so some
// time ago, and there was no call between. On a busy machine the monitor
// thread is mostly waiting to run, so that not every glance in between tells.
func (w *osWorld) quiet() bool {
	if w.held == nil || !w.allAsleep() {
		return false
	}
	now := time.Now()
	if w.calm.IsZero() {
		w.calm = now
	}
	return now.Sub(w.calm) > handlerWait
}

// release lets the call go at which a signal was sent.
func (w *osWorld) release() {
	if w.held != nil {
		w.inCall[w.held.TID] = true
		w.tree.Continue(w.held)
		w.held = nil
	}
}

// closeStandIns has the child close what its failed closes have left.
func (w *osWorld) closeStandIns() error {
	for _, fd := range w.standIns {
		w.tree.Answer(w.pending, closeThenAsk+int64(fd))
		ev, err := w.await(w.clock.budget)
		if err != nil {
			return err
		}
		w.pending = ev
	}
	w.injected = injected{}
	return nil
}

// point handles a point in the victim's code at which a panic can be injected.
func (w *osWorld) point(ev *supervise.Event, at func(*boundary) error) error {
	w.oneAtATime(ev.TID)
	w.mend()
	if w.phase != inVictim {
		w.tree.Answer(ev, pointGoOn)
		return nil
	}
	op, name, _ := strings.Cut(string(ev.Data), "\x00")
	b := &boundary{call: op, point: true, thread: ev.TID, busy: w.busy}
	b.object, _ = w.d.rel(name)
	b.locate = func(b *boundary) { w.describe(b, ev) }
	err := at(b)
	answer := int64(pointGoOn)
	switch b.answer.act {
	case panics:
		answer = pointPanic
	case goexits:
		answer = pointGoexit
	}
	w.tree.Answer(ev, answer)
	return err
}

// openFiles names the descriptors of the child that are open in the scene.
func (w *osWorld) openFiles() []string {
	dir := "/proc/" + strconv.Itoa(w.tree.PID()) + "/fd"
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var open []string
	for _, fd := range fds {
		if rel, ok := w.d.rel(readlink(dir + "/" + fd.Name())); ok {
			open = append(open, withoutNumber(strings.TrimSuffix(rel, " (deleted)")))
		}
	}
	slices.Sort(open)
	return open
}

// withoutNumber is the name of a file that O_TMPFILE made, "#1234", without
// the number, which is chance.
func withoutNumber(name string) string {
	if dir, base := path.Split(name); len(base) > 1 && base[0] == '#' && isNumber(base[1:]) {
		return dir + "#*"
	}
	return name
}

// descriptorOf looks at the descriptor that a call acts on.
func descriptorOf(ev *supervise.Event) descriptor {
	fd := ev.FD
	if ev.Name == "connect" {
		fd = int(int32(ev.Args[0]))
	}
	if fd < 0 {
		return descriptor{}
	}
	flags, ok := openFlags(ev.TID, fd)
	if !ok {
		return descriptor{}
	}
	return descriptor{kind: descriptorNode(ev.TID, fd).kindName(),
		write: flags&unix.O_ACCMODE != unix.O_RDONLY, nonblock: flags&unix.O_NONBLOCK != 0}
}

// openFlags are those of a stopped thread's descriptor, as open(2) has them.
func openFlags(tid, fd int) (flags uint64, ok bool) {
	info, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/fdinfo/" + strconv.Itoa(fd))
	_, rest, found := strings.Cut(string(info), "flags:\t")
	line, _, _ := strings.Cut(rest, "\n")
	flags, perr := strconv.ParseUint(line, 8, 32)
	return flags, err == nil && found && perr == nil
}
