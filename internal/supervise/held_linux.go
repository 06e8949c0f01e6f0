package supervise

import (
	"encoding/binary"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/still"
	"golang.org/x/sys/unix"
)

// Knowledge is what a run of the tree is given for what an attacker can know,
// and the tape for what he cannot.
type Knowledge struct {
	At      int64  // the time, in ns since 1970
	Numbers int    // where the made-up process numbers begin; below 0: the real ones
	Tape    uint64 // number of the tape
	Devices bool   // the random devices are the kernel's own
}

// held is the state of a tree whose knowledge is held still.
type held struct {
	know    Knowledge
	clock   *still.Clock
	numbers *still.Numbers // nil: the real ones
	begun   map[offspring]int
	shown   int64    // the time that the programs have
	since   int64    // when the run began, by the kernel's clock
	unheld  []string // what could not be held, and why
	misled  string   // a made-up number where it cannot be translated
}

// heldProcess is what is known of one process of the tree.
type heldProcess struct {
	image   *still.Image
	shown   int64
	renewed bool           // it may have become another program
	numbers *still.Numbers // that number is of
	number  int
	tape    *still.Tape
	of      *held // that tape is of
	program string
	part    part
	partOf  *held // that part is of
	opaque  bool
}

// StartHeld is Start with the Held set, and with the child's clock held from
// its first instruction on.
func StartHeld(cmd *exec.Cmd, set Set, know Knowledge, deadline time.Time) (*Tree, error) {
	if err := contain(cmd); err != nil {
		return nil, err
	}
	return begin(cmd, set|Held, &know, deadline)
}

// Hold begins a run: its time, its numbers and its tape.
func (t *Tree) Hold(know Knowledge) {
	t.forgetDevices()
	next := newHeld(know)
	if t.held != nil {
		next.unheld = t.held.unheld
	}
	t.held = next
	if know.Numbers >= 0 {
		t.held.numbers = still.NewNumbers(know.Numbers)
		t.held.numbers.Of(os.Getpid())
		t.number(&t.procs.child)
	}
	t.show(&t.procs.child)
	if im := t.procs.child.held.image; im != nil {
		t.unheld(im.Sample()) // not before there is somebody to answer
	}
}

func newHeld(know Knowledge) *held {
	// The kernel's stamps lag by the tick: CLOCK_REALTIME_COARSE.
	var now unix.Timespec
	_ = unix.ClockGettime(clockCoarse, &now)
	return &held{know: know, clock: still.NewClock(know.At), shown: know.At, since: now.Nano(), begun: map[offspring]int{}}
}

// runStart is by how much the files of a run seem to be older than its time:
// the clock stands still while they come to be, one after the other.
const runStart = int64(time.Second)

// InRun reports whether a file time, in ns since 1970, is of the present run,
// and later than its clock says: the programs should be told another.
func (t *Tree) InRun(at int64) bool { return t.held != nil && at >= t.held.since }

// fileTime is what a file time is by the clock of the run: those that came to
// be in the run are of the second before, in their order.
func (t *Tree) fileTime(at int64) int64 {
	if !t.InRun(at) {
		return at
	}
	return min(t.held.know.At-runStart+(at-t.held.since), t.held.shown)
}

// Unheld says what could not be held in this tree, and why.
func (t *Tree) Unheld() []string {
	if t.held == nil {
		return nil
	}
	return t.held.unheld
}

// Misled says where a program of the present run used a made-up number in a
// call that it cannot be translated in; empty for nowhere. The run is then no
// ground for anything.
func (t *Tree) Misled() string {
	if t.held == nil {
		return ""
	}
	return t.held.misled
}

// WentOn is by how many seconds the clock of the present run has gone on.
func (t *Tree) WentOn() int {
	if t.held == nil {
		return 0
	}
	return t.held.clock.Seconds()
}

func (t *Tree) unheld(err error) {
	if err == nil {
		return
	}
	if text := strings.ReplaceAll(err.Error(), "\n", "; "); !slices.Contains(t.held.unheld, text) && len(t.held.unheld) < 8 {
		t.held.unheld = append(t.held.unheld, text)
	}
}

// startHeld starts the child with its clock held.
func (t *Tree) startHeld(cmd *exec.Cmd, know Knowledge) error {
	t.held = newHeld(know)
	im, why, err := still.Start(cmd, know.At, t.tapeOf(ofChild, false).Bytes(16))
	if err != nil {
		return err
	}
	t.unheld(why)
	t.procs.child.held = heldProcess{image: im, shown: know.At}
	return nil
}

// holdClock holds the clock of a program that has not made a call before, and
// brings the time of every other up to date.
func (t *Tree) holdClock(n *notif, pr *process) {
	h := &pr.held
	switch {
	case h.opaque:
	case h.image == nil || h.renewed:
		var random []byte
		var of offspring
		if h.renewed {
			of = t.parentOf(pr, h.program)
			random = t.tapeOf(t.held.next(of), false).Bytes(16)
		}
		im, err := still.Hold(pr.pid, t.held.shown, random)
		h.opaque = err != nil && ioctl(t.listener, ioctlIDValid, unsafe.Pointer(&n.id)) == 0 // and not killed meanwhile
		if h.opaque {
			t.unheld(err)
		}
		if err != nil {
			return
		}
		if im.Fresh && h.renewed {
			t.begins(pr, of)
		}
		h.image, h.shown, h.renewed = im, t.held.shown, false
		_ = im.Sample()
	default:
		t.show(pr)
	}
}

// show gives a process the time that the clock shows.
func (t *Tree) show(pr *process) {
	if h := &pr.held; h.image != nil && h.shown != t.held.shown && h.image.Set(t.held.shown) == nil {
		h.shown = t.held.shown
	}
}

// waited lets the clock go on, and shows the new second to all.
func (t *Tree) waited(d time.Duration) {
	t.held.clock.Waited(d)
	now := t.held.clock.Now()
	if now == t.held.shown {
		return
	}
	t.held.shown = now
	t.show(&t.procs.child)
	t.procs.mu.Lock()
	defer t.procs.mu.Unlock()
	for _, pr := range t.procs.others {
		t.show(pr)
	}
}

// idleGlance is how often to look whether the programs of a held tree wait.
const idleGlance = 20 * time.Millisecond

// idle is called when no call has come for a while: if nobody was at work, the
// programs have waited.
func (t *Tree) idle(since time.Time) time.Time {
	now := time.Now()
	if t.held == nil || t.atWork() {
		return now
	}
	slept := now.Sub(since)
	t.waited(slept + slept/16) // the rest of the wait, after the last look, is not seen
	return now
}

// pids are the processes of the tree: those that were met, and those that they
// have forked, which may have made no call yet.
func (t *Tree) pids() []int {
	t.procs.mu.Lock()
	list := []int{t.pid}
	for pid := range t.procs.others {
		list = append(list, pid)
	}
	t.procs.mu.Unlock()
	for i := 0; i < len(list); i++ {
		dir := "/proc/" + strconv.Itoa(list[i]) + "/task/"
		tasks, _ := os.ReadDir(dir)
		for _, task := range tasks {
			b, _ := os.ReadFile(dir + task.Name() + "/children")
			for _, field := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(list, pid) {
					list = append(list, pid)
				}
			}
		}
	}
	return list
}

// arrived is where a thread waits for the answer to a call.
const arrived = "seccomp_do_user_notification"

// atWork says that a thread of the tree runs, is in the kernel, or has come to a
// call meanwhile.
func (t *Tree) atWork() bool {
	return slices.ContainsFunc(t.pids(), func(pid int) bool {
		states := doing(pid)
		return strings.Contains(states, arrived) || strings.Contains(states, ": R") || strings.Contains(states, ", R") || strings.Contains(states, ": D") || strings.Contains(states, ", D")
	})
}

// answers answers the calls that are about knowledge and chance, and says
// whether n was one.
func (t *Tree) answers(n *notif, pr *process) bool {
	if n.data.arch != auditArch {
		return false
	}
	call, ok := heldTable()[uint32(n.data.nr)]
	if !ok {
		return false
	}
	ev := &Event{TID: int(n.pid), PID: pr.pid, Args: n.data.args, id: n.id, ip: n.data.ip, data: n.data, proc: pr}
	if t.held == nil || call.answer == nil || !call.answer(t, ev) {
		t.Continue(ev)
	}
	return true
}

// tell writes a result into the caller's buffer and lets the call return val.
func (t *Tree) tell(ev *Event, addr uint64, b []byte, val int64) bool {
	if ioctl(t.listener, ioctlIDValid, unsafe.Pointer(&ev.id)) != 0 || writeMem(ev.TID, addr, b) != nil {
		return false
	}
	t.Answer(ev, val)
	return true
}

// look is the time of a look at the clock by a system call.
func (t *Tree) look(ev *Event) (sec, nsec uint64) {
	d := time.Duration(still.Look)
	if im := ev.proc.held.image; im != nil && im.Has(ev.ip) && ev.data.nr == unix.SYS_CLOCK_GETTIME {
		d = still.ManyLooks
	}
	t.waited(d)
	now := uint64(t.held.shown)
	return now / 1e9, now % 1e9
}

func pairOf(a, b uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a), b)
}

func answerClock(t *Tree, ev *Event) bool {
	switch ev.Args[0] {
	case unix.CLOCK_REALTIME, clockCoarse, unix.CLOCK_REALTIME_ALARM, unix.CLOCK_TAI:
	default:
		return false
	}
	s, ns := t.look(ev)
	return t.tell(ev, ev.Args[1], pairOf(s, ns), 0)
}

const clockCoarse = 5 // CLOCK_REALTIME_COARSE

func answerTimeOfDay(t *Tree, ev *Event) bool {
	if ev.Args[0] == 0 || ev.Args[1] != 0 {
		return false // of the time zone the kernel knows nothing worth holding
	}
	s, ns := t.look(ev)
	return t.tell(ev, ev.Args[0], pairOf(s, ns/1000), 0)
}

func answerTime(t *Tree, ev *Event) bool {
	s, _ := t.look(ev)
	if ev.Args[0] == 0 {
		t.Answer(ev, int64(s))
		return true
	}
	return t.tell(ev, ev.Args[0], pairOf(s, 0)[:8], int64(s))
}

// mostChance bounds what one call gets, as the kernel may (getrandom(2)).
const mostChance = 64 << 10

func answerRandom(t *Tree, ev *Event) bool {
	const known = unix.GRND_NONBLOCK | unix.GRND_RANDOM | unix.GRND_INSECURE
	n := min(ev.Args[1], mostChance)
	if ev.Args[2]&^known != 0 || n == 0 {
		return false
	}
	return t.tell(ev, ev.Args[0], t.tape(ev.proc).Bytes(int(n)), int64(n))
}
