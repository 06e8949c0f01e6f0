package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// Messages of the child to its parent.
const (
	opDone     = supervise.OpUser + iota // the run is over; the answer starts the next, or 0 ends the child
	opPrepared                           // Setup has run
	opReturned                           // the victim is back, Ensure follows
	opPoint                              // the victim is at a point where a panic can be injected
)

// What the child's environment says of the scene, and that it is for Restart.
const (
	envScene = "TMPPROOF_SCENE"
	envAgain = "TMPPROOF_AGAIN"
)

// osWorld runs the victim in a child process under the supervisor.
type osWorld struct {
	call      *rerun.Call
	cmd       *exec.Cmd
	opt       *options
	d         *osDisk
	tree      *supervise.Tree
	out       *rerun.Output
	straggler *supervise.Event // a call after the victim's return that has not been answered
	pending   *supervise.Event // the child's opDone that has not been answered
	lines     map[uint64]lineInfo
	view      view
	near      bool // writes are seen when they are made
	again     bool // it is for Restart: nothing is seen
	attacker  *attacker
	modes     map[string]uint32 // of directories outside of the scene

	// of the present run
	hooks     hooks
	clock     clock
	phase     string
	refused   string // a signal that was not sent
	calls     int
	blocked   string         // the FIFO or lock at which the victim would wait for ever
	blockedAs string         // what is said of it
	locked    map[int]string // threads that were let go to wait for a lock of the attacker's, and whose
	inCall    map[int]bool   // threads that were let go into a call
	slow      map[int]bool   // and those of them that were waited for in vain
	waiting   map[int]string // threads that were let go to open a FIFO, and which
	still     int            // glances during which nothing moved
	opaque    string
	programs  []int // process ids of what the victim started
	outside   []outsideCall
	injected
}

func openOS(t *testing.T, call *rerun.Call, opt *options, s start, deadline time.Time) (world, error) {
	d, err := sceneIn(s.in, opt)
	if err != nil {
		return nil, err
	}
	w := &osWorld{call: call, opt: opt, d: d, near: s.near, again: s.again, clock: newClock(opt, deadline), lines: map[uint64]lineInfo{}}
	if err := w.start(s.knows); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *osWorld) disk() disk { return w.d }

func (w *osWorld) exact() bool { return w.tree.Exact() }

func (w *osWorld) start(knows knowledge) error {
	cmd, out, err := w.call.Command()
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, envScene+"="+w.d.root)
	if w.again {
		cmd.Env = append(cmd.Env, envAgain+"=1")
	}
	w.cmd, w.out = cmd, out
	tree, err := begin(cmd, w.sees(), knows, time.Now().Add(w.opt.startWait()))
	if un := (*supervise.UnsupportedError)(nil); errors.As(err, &un) {
		return &unsupportedError{unsupportedReason(un)}
	}
	if errors.Is(err, supervise.ErrEarlyExit) {
		return w.call.Explain(false, rerun.ExitOf(cmd.ProcessState), out.String())
	}
	if err != nil {
		return fmt.Errorf("starting the child: %w", err)
	}
	w.tree = tree
	ev, err := w.await(time.Now().Add(w.opt.startWait()))
	if err != nil {
		return err
	}
	w.pending = ev
	w.view = view{alike: w.keepsView()}
	return nil
}

// sees are the calls at which the child is stopped.
func (w *osWorld) sees() supervise.Set {
	switch {
	case w.again:
		return supervise.Creates // which tells that it is at work
	case w.opt.verb.injects():
		return supervise.Names | supervise.Data | supervise.Reads
	case w.near || w.opt.seesWrites():
		return supervise.Names | supervise.Uses | supervise.Data
	}
	return supervise.Names | supervise.Uses
}

// begin starts the child, with what can be known held still if that is asked
// for.
func begin(cmd *exec.Cmd, set supervise.Set, knows knowledge, deadline time.Time) (*supervise.Tree, error) {
	if !knows.held {
		return supervise.Start(cmd, set, deadline)
	}
	return supervise.StartHeld(cmd, set, given(knows), deadline)
}

func given(k knowledge) supervise.Knowledge {
	return supervise.Knowledge{At: k.at, Numbers: k.numbers, Tape: k.tape, Devices: k.devices}
}

// receive waits for what the victim does next. It has run until then.
func (w *osWorld) receive(deadline time.Time) (*supervise.Event, error) {
	ev, err := w.tree.Next(deadline)
	w.d.forget()
	return ev, err
}

// await lets calls pass until the child reports.
func (w *osWorld) await(deadline time.Time) (*supervise.Event, error) {
	for {
		ev, err := w.tree.Next(deadline) // the scene can be another world's yet
		if err != nil {
			return nil, fmt.Errorf("waiting for the child to get ready: %w", err)
		}
		switch ev.Type {
		case supervise.Gone:
			return nil, fmt.Errorf("the child ended before it was ready:\n%s", w.out)
		case supervise.Message:
			return ev, nil
		}
		w.tree.Continue(ev)
	}
}

// run is one run of the victim.
func (w *osWorld) run(a *attacker, h hooks) (*outcome, error) {
	if err := w.d.clear(w.opt, w.d.spoilt); err != nil {
		return nil, fmt.Errorf("clearing the scene: %w", err)
	}
	w.hooks = h
	w.d.spoilt = false
	w.attacker, w.calls, w.blocked, w.opaque = a, 0, "", ""
	w.locked = map[int]string{}
	if w.view.shifted {
		w.view = view{alike: w.keepsView()}
	}
	w.d.forgetNames()
	w.waiting, w.inCall, w.slow, w.still, w.programs, w.outside = map[int]string{}, map[int]bool{}, map[int]bool{}, 0, nil, nil
	if err := w.closeStandIns(); err != nil {
		return nil, err
	}
	if w.opt.setup == nil {
		if err := h.prepared(); err != nil {
			return nil, err
		}
	}
	if h.knows.held {
		w.tree.Hold(given(h.knows))
	}
	w.tree.Answer(w.pending, 1)
	w.pending = nil
	w.phase, w.refused = inVictim, ""
	if w.opt.setup != nil {
		w.phase = inSetup
	}
	w.clock.start()
	return w.follow(h)
}

// restart gives the scene to the child as it is.
func (w *osWorld) restart() (*outcome, error) {
	w.d.forget()
	w.hooks = hooks{}
	w.tree.Answer(w.pending, 1)
	w.pending, w.phase = nil, inRestart
	w.clock.start()
	o, err := w.follow(hooks{})
	w.d.spoilt = true // nobody has watched it
	return o, err
}

// follow sees the child through one run.
func (w *osWorld) follow(h hooks) (*outcome, error) {
	for {
		ev, o, err := w.next()
		if err == nil && o == nil {
			o, err = w.event(ev, h)
		}
		switch {
		case err != nil:
			return nil, err
		case o != nil && o.End != returned && w.phase != inVictim && w.phase != inRestart && w.pending == nil:
			return nil, fmt.Errorf("%s %s", w.phase, o)
		case o != nil:
			o.Refused, o.Spent = w.refused, o.Spent || w.view.shifted && !w.keepsView()
			o.Context.PID, o.Context.PPID = w.tree.Numbers()
			o.Context.Programs, o.Outside = w.programs, w.outside
			o.WentOn, o.Unheld, o.Misled = w.tree.WentOn(), w.tree.Unheld(), w.tree.Misled()
			o.Drained = w.tree.Drained()
			return o, nil
		}
		w.clock.progress()
	}
}

// event handles what the child does. An outcome ends the run.
func (w *osWorld) event(ev *supervise.Event, h hooks) (*outcome, error) {
	if ev.Type == supervise.Message {
		return w.message(ev, h)
	}
	if ev.PID != w.tree.PID() {
		rerun.Uncacheable() // what a program makes of its environment is not seen
	}
	if w.calls++; w.calls > w.opt.maxCalls() {
		return w.lost(endless, fmt.Sprintf("more than %d calls in one run", w.opt.maxCalls())), nil
	}
	if w.calls%fewCalls == 0 && time.Now().After(w.clock.budget) {
		return nil, w.opt.usedUp(w.phase)
	}
	if w.calls%busyCalls == 0 {
		w.clock.start() // the machine may be slow: their number bounds the run
	}
	w.rebase(ev)
	if w.phase != inVictim {
		if !w.tellsTime(ev) {
			w.tree.Continue(ev)
		}
		return nil, nil
	}
	return w.stopped(ev, h.at)
}

func (w *osWorld) message(ev *supervise.Event, h hooks) (*outcome, error) {
	switch ev.Op {
	case opPrepared:
		w.phase = inVictim
		w.clock.start()
		if err := h.prepared(); err != nil {
			return nil, err
		}
		w.tree.Answer(ev, 1)
		return nil, nil
	case opReturned:
		w.phase = inEnsure
		w.d.lookInto(dirShared, dirHome)
		w.mend()
		w.release()
		w.clock.start()
		h.returned()
		w.tree.Answer(ev, 1)
		return nil, nil
	case opPoint:
		return nil, w.point(ev, h.at)
	}
	cut := w.restore != nil // the limit on a write
	w.mend()
	o := &outcome{}
	if ev.Opaque != "" {
		return nil, errors.New(ev.Opaque)
	}
	if err := json.Unmarshal(ev.Data, o); err != nil {
		return nil, fmt.Errorf("the child's report: %w", err)
	}
	w.pending = ev
	if w.phase == inRestart {
		return o, nil
	}
	w.d.lookInto(dirShared, dirHome)
	w.oneAtATime(ev.TID)
	w.release()
	if w.opt.verb == faults || w.opt.restart != nil {
		o.Open = w.openFiles()
		o.Spent = o.Spent || len(o.Open) > 0 // or the next run would be blamed for them, and Restart meet their locks
	}
	o.Spent = o.Spent || o.Changed && !cut
	if o.Goroutines > 0 {
		o.Late = w.late()
	}
	if w.blocked != "" {
		o.Spent = o.Spent || o.End != returned // it was refused the FIFO, and did worse than to come back
		o.End, o.Nil, o.Text, o.At = hung, false, w.blockedAs, w.blocked
	}
	if !w.d.stat(dirShared).isDir() || !w.d.stat(dirHome).isDir() || statAt(unix.AT_FDCWD, w.d.root, 0).id != w.d.stat(".").id {
		o.Removed, o.Spent = true, true
	}
	return o, nil
}

// stopped handles one call of the victim.
func (w *osWorld) stopped(ev *supervise.Event, at func(*boundary) error) (*outcome, error) {
	if w.failsAlike(ev) {
		return nil, nil
	}
	w.oneAtATime(ev.TID)
	if ev.PID != w.tree.PID() && !slices.Contains(w.programs, ev.PID) {
		w.programs = append(w.programs, ev.PID)
	}
	w.mend()
	if ev.Kind == supervise.Rename {
		clear(w.d.where.outside)
	}
	if ev.Kind == supervise.Signal {
		if w.refuses(ev) {
			w.tree.Fail(ev, unix.EPERM)
		} else {
			w.notesOutside(ev)
			w.tree.Continue(ev)
		}
		return nil, nil
	}
	if ev.Kind == supervise.Refused {
		w.notesOutside(ev) // by its line, before the thread goes on
		w.tree.Continue(ev)
		return nil, nil
	}
	if ev.Kind == supervise.Lock && !w.opt.verb.injects() {
		w.lock(ev)
		return nil, nil
	}
	if w.byDescriptor(ev) {
		w.tree.Continue(ev)
		return nil, nil
	}
	if ev.Name == "getsockopt" {
		return nil, nil // answered
	}
	b := w.boundary(ev)
	if b == nil || len(b.lookups) < len(ev.Paths) {
		w.notesOutside(ev)
	}
	if b == nil {
		if ev.Kind == supervise.Exec {
			_, _ = w.tree.Stack(ev) // the program that follows inherits the line
		}
		if !w.answerHere(ev) {
			w.tree.Continue(ev)
		}
		return nil, nil
	}
	b.locate = func(b *boundary) { w.describe(b, ev) }
	b.busy = w.busy
	if ev.Kind == supervise.Exec {
		w.describe(b, ev) // the program that follows inherits the line
	}
	if err := at(b); err != nil {
		w.tree.Continue(ev)
		return nil, err
	}
	if b.answer.act != goOn {
		return w.inject(b, ev)
	}
	if err := w.meetSocket(b, ev); err != nil {
		w.tree.Continue(ev)
		return nil, err
	}
	if fifo, ok := w.attacker.waitsAt(b); ok {
		if w.describe(b, ev); b.main && len(w.waiting) == 0 {
			w.blocked, w.blockedAs = fifo, atFIFO(fifo)
			w.tree.Fail(ev, unix.ENXIO)
			return nil, nil
		}
		w.waiting[ev.TID] = fifo
	}
	switch {
	case ev.Kind == supervise.Check && w.answerStat(b, ev):
	default:
		if w.waiting[ev.TID] == "" {
			w.inCall[ev.TID] = true
		}
		w.tree.Continue(ev)
	}
	return nil, nil
}

// boundary looks the call's paths up; nil when it does not concern the scene.
func (w *osWorld) boundary(ev *supervise.Event) *boundary {
	b := &boundary{call: ev.Name, kind: ev.Kind, perm: ev.Mode & 0o7777, thread: ev.TID, repeat: ev.Repeat, opaque: ev.Opaque}
	if w.opt.verb == faults {
		b.length = ev.Writes()
	}
	if ev.Kind == supervise.Open {
		const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY
		b.tmpfile = ev.Flags&tmpfile != 0
		b.create = ev.Flags&unix.O_CREAT != 0 && !b.tmpfile
		b.excl = b.create && ev.Flags&unix.O_EXCL != 0
		b.write = ev.Flags&unix.O_ACCMODE != unix.O_RDONLY
		b.read = ev.Flags&unix.O_ACCMODE != unix.O_WRONLY && ev.Flags&unix.O_PATH == 0
		b.trunc = ev.Flags&unix.O_TRUNC != 0
		b.onlyDir = ev.Flags&unix.O_DIRECTORY != 0
		b.nowait = ev.Flags&unix.O_NONBLOCK != 0 || ev.Flags&unix.O_ACCMODE == unix.O_RDWR || ev.Flags&unix.O_PATH != 0
	}
	if w.opt.verb == faults {
		b.fd = descriptorOf(ev)
	}
	b.exchange = ev.Kind == supervise.Rename && ev.Flags&unix.RENAME_EXCHANGE != 0
	if ev.Kind == supervise.Unlink && ev.Flags&unix.AT_REMOVEDIR != 0 {
		b.kind = supervise.Rmdir
	}
	if ev.Kind == supervise.Process {
		return nil
	}
	b.owner, b.times, b.covers = setsOwner(ev), setsTimes[ev.Name], ev.Name == "mount" && ev.Args[3]&(unix.MS_REMOUNT|propagation) == 0 || ev.Name == "move_mount" || ev.Name == "pivot_root"
	wk := &walker{disk: w.d, pid: ev.PID, tid: ev.TID, plain: w.plain()}
	b.rooted = w.rooted(ev)
	if ev.Kind == supervise.Control || ev.Kind == supervise.Lock {
		b.asks = requestOf(ev)
	}
	if ev.Name == "msync" {
		name, ok := w.d.rel(mappedFile(ev))
		if !ok || ev.Flags&unix.MS_SYNC == 0 { // without, it does nothing
			return nil
		}
		b.object = withoutNumber(strings.TrimSuffix(name, deleted))
		return b
	}
	if ev.FD >= 0 && len(ev.Paths) == 0 {
		if w.opt.seesWrites() && (ev.Kind == supervise.Close || strings.HasPrefix(ev.Name, "getdents")) {
			return nil
		}
		name, ok := wk.descriptor(ev.FD)
		if !ok {
			return nil
		}
		b.object = withoutNumber(strings.TrimSuffix(name, deleted))
		return b
	}
	look := func() bool {
		b.lookups, b.object = nil, ""
		for i, p := range ev.Paths {
			if i == 0 && ev.Name == "mount" && ev.Args[3]&(unix.MS_BIND|unix.MS_MOVE) == 0 && !strings.Contains(p.Raw, "/") {
				continue // "tmpfs", "none": no path
			}
			if p.Null {
				if name, ok := wk.descriptor(p.Dir); ok && p.Dir != unix.AT_FDCWD {
					b.object = name
				}
				continue
			}
			if p.Err != nil {
				continue
			}
			if l := wk.lookup(p, ev.Resolve); len(l.steps) > 0 {
				l.makes = i == len(ev.Paths)-1 || ev.Kind == supervise.Rename && ev.Flags&(unix.RENAME_EXCHANGE|unix.RENAME_WHITEOUT) != 0
				b.lookups = append(b.lookups, l)
			} else if i == len(ev.Paths)-1 {
				b.covers = false
			}
		}
		if ev.Kind == supervise.Exec && len(ev.Paths) > 0 && ev.Paths[0].Err == nil {
			b.lookups = append(b.lookups, wk.interpreters(ev.Paths[0])...)
		}
		return len(b.lookups) > 0 || b.object != ""
	}
	if !look() && ev.Opaque == "" {
		return nil
	}
	b.refresh = func() { look() }
	return b
}

const propagation = unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE

// setsOwner is true for the chown family, unless it leaves both ids as they
// are.
func setsOwner(ev *supervise.Event) bool {
	ids := ev.Args[1:3]
	switch ev.Name {
	case "chown", "lchown", "fchown":
	case "fchownat":
		ids = ev.Args[2:4]
	default:
		return false
	}
	return int32(ids[0]) != -1 || int32(ids[1]) != -1
}

// setsTimes are the calls that set times. Of one that sets the access time alone
// the kernel tells that the object was read, and of one that sets the other that
// it was written.
var setsTimes = map[string]bool{"utimensat": true, "utime": true, "utimes": true, "futimesat": true}

// tellsTime answers a look at a file by one of the test's own functions, where
// the clock is held.
func (w *osWorld) tellsTime(ev *supervise.Event) bool {
	if ev.Kind != supervise.Check || !w.tree.InRun(math.MaxInt64) {
		return false
	}
	b := w.boundary(ev)
	return b != nil && w.answerStat(b, ev)
}

// answerStat tells the victim the truth about the owner of what the attacker
// made: both run under one uid here, and code that checks the owner must be
// believed. Times are those of the victim's clock.
func (w *osWorld) answerStat(b *boundary, ev *supervise.Event) bool {
	name, uid := b.object, attackerID()
	if len(b.lookups) > 0 {
		a, ok := b.lookups[0].object()
		if !ok || a.node.isLink() && b.lookups[0].follow {
			return false
		}
		if name = a.path(); !w.attacker.owns(a.node) {
			if !w.tree.InRun(a.node.mtime) {
				return false
			}
			uid = supervise.SameOwner
		}
	} else if name == "" {
		return false
	} else if !w.attacker.owns(w.d.stat(name)) {
		fd := ev.FD
		if len(ev.Paths) == 1 && ev.Paths[0].Null {
			fd = ev.Paths[0].Dir
		}
		return fd >= 0 && w.tree.InRun(math.MaxInt64) && w.tree.AnswerFDStat(ev, fd, supervise.SameOwner, supervise.SameOwner)
	}
	return w.tree.AnswerStat(ev, w.d.abs(name), uid, uid)
}

// answerHere answers a look at a directory by its descriptor and the name ".", as
// Root.Stat has it: no name is looked up, and no move can be made.
func (w *osWorld) answerHere(ev *supervise.Event) bool {
	if ev.Kind != supervise.Check || len(ev.Paths) != 1 {
		return false
	}
	p := ev.Paths[0]
	if p.Null || p.Err != nil || p.Raw == "" || path.Clean(p.Raw) != "." {
		return false
	}
	name, ok := (&walker{disk: w.d, pid: ev.PID, tid: ev.TID, plain: w.plain()}).descriptor(p.Dir)
	return ok && w.attacker.owns(w.d.stat(name)) && w.tree.AnswerStat(ev, w.d.abs(name), attackerID(), attackerID())
}

// attackerID is the attacker's uid and gid as the victim sees them.
var attackerID = sync.OnceValue(func() uint32 {
	if os.Getuid() == 65534 {
		return 65533
	}
	return 65534
})

func (w *osWorld) settled(touched bool) {
	if touched {
		w.d.spoilt = true
	}
}

// close ends the child and removes the scene.
func (w *osWorld) close() error {
	var err error
	if w.tree != nil {
		err = w.stop()
	}
	if w.cmd != nil {
		w.call.Account(w.cmd, w.d.root)
	}
	return errors.Join(err, w.d.leave())
}

// stop lets a healthy child end by itself, so that its coverage counts, and
// kills any other.
func (w *osWorld) stop() error {
	if w.pending == nil {
		return w.tree.Kill()
	}
	if w.straggler != nil {
		w.tree.Continue(w.straggler)
		w.straggler = nil
	}
	w.tree.Answer(w.pending, 0)
	for deadline := time.Now().Add(w.opt.startWait()); time.Now().Before(deadline); {
		ev, err := w.tree.Next(time.Now().Add(glance / 2)) // the scene can be another world's by now
		if err == nil && ev.Type == supervise.Gone || ended(processState(w.tree.PID())) {
			break // what it has left running does not end by itself
		}
		if err == nil {
			w.tree.Continue(ev)
		}
	}
	return w.tree.Kill()
}
