package attack

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// stroke is one atomic act of an attacker's thread.
type stroke struct {
	kind strokeKind
	src  string // in the attic
	dest string
	text string
}

type strokeKind uint8

const (
	strokePut  strokeKind = iota // src goes to dest, where nothing is
	strokeTake                   // what is at dest goes back to src
	strokeSwap                   // src and dest change places, or src goes to dest where nothing is
)

// done is an act that took place.
type done struct {
	at   int64 // ns since 1970
	text string
}

// maxDone bounds the acts of one attempt that are kept for a report.
const maxDone = 64

// part is what one thread does in an attempt: its acts in turn, the first one
// after a delay from the start and the others after pauses; once, or until it
// is stopped. A hunter reads Dir instead, and does its first act at each name
// that comes up there.
type part struct {
	acts    []stroke
	hunts   bool
	delay   time.Duration
	pause   time.Duration // the greatest; each is drawn
	endless bool
	own     func(id) bool // what it may move
	others  bool          // it may move those of others as well
}

// mover is a thread of the attacker's.
type mover struct {
	disk   *osDisk
	jobs   chan part
	result chan played
	begin  atomic.Int64 // of the attempt, ns since 1970; 0 before
	stop   atomic.Bool
	cpus   atomic.Pointer[unix.CPUSet]
	doze   atomic.Bool // waits asleep: it may not hold the processor that the victim needs
	rand   *rand.Rand
}

// played is what a thread did.
type played struct {
	done  []done
	count int
	last  int64
	seen  string // a name that it hunted
	acted bool   // and took
	void  bool   // it moved what it had no power over: the attempt does not count
}

func newMover(d *osDisk, seed uint64) *mover {
	m := &mover{disk: d, jobs: make(chan part), result: make(chan played, 1), rand: rand.New(rand.NewPCG(seed, 1))}
	go m.run()
	return m
}

// run is the thread. It is not unlocked, so that it ends with its settings.
func (m *mover) run() {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it, sleeping is coarser
	var set *unix.CPUSet
	for p := range m.jobs {
		if want := m.cpus.Load(); want != set && want != nil {
			_ = unix.SchedSetaffinity(0, want)
			set = want
		}
		m.result <- m.play(p)
	}
}

// halt ends the attempt.
func (m *mover) halt() played {
	m.stop.Store(true)
	return <-m.result
}

// play does the part.
func (m *mover) play(p part) played {
	var r played
	for m.begin.Load() == 0 && !m.stop.Load() {
		m.wait(time.Microsecond)
	}
	at := m.begin.Load()
	for until := at + int64(p.delay); !m.stop.Load(); {
		left := until - time.Now().UnixNano()
		if left <= 0 {
			break
		}
		m.wait(time.Duration(left))
	}
	if p.hunts {
		return m.hunt(p)
	}
	for i := 0; !m.stop.Load(); {
		a := p.acts[i%len(p.acts)]
		ok, void := m.strike(a, p)
		if void {
			r.void = true
			return r
		}
		if ok {
			r.note(a.text)
			i++ // what it could not plant it does not take away
		}
		if !p.endless && (!ok || i >= len(p.acts)) {
			return r
		}
		if p.pause > 0 {
			m.waitFor(time.Duration(m.rand.Int64N(int64(p.pause))))
		}
	}
	return r
}

func (r *played) note(text string) {
	r.last = time.Now().UnixNano()
	if r.count++; len(r.done) < maxDone {
		r.done = append(r.done, done{r.last, text})
	}
}

// hunt waits for a new name in Dir. Under the sticky bit it can take the name
// only once the victim has given it up; seeing it is a hit all the same.
func (m *mover) hunt(p part) (r played) {
	old, err := m.disk.listed(dirShared)
	a := p.acts[0]
	for err == nil && !m.stop.Load() {
		m.wait(time.Microsecond)
		list, _ := m.disk.listed(dirShared)
		i := slices.IndexFunc(list, func(e string) bool { return !slices.Contains(old, e) })
		if i < 0 {
			continue
		}
		a.dest = dirShared + "/" + list[i]
		r.seen = a.dest
		r.note("sees " + pretty(a.dest))
		for !m.stop.Load() {
			if ok, void := m.strike(a, p); ok || void {
				r.void = void
				r.acted = true
				r.note("puts " + a.text + " at " + pretty(a.dest))
				return r
			}
			m.wait(time.Microsecond)
		}
	}
	return r
}

func (m *mover) waitFor(d time.Duration) {
	until := time.Now().Add(d)
	for left := d; left > 0 && !m.stop.Load(); left = time.Until(until) {
		m.wait(left)
	}
}

// spin is how long a thread waits awake where it may: the kernel's sleep is
// not exact to this.
const spin = 100 * time.Microsecond

// wait passes some of the time that is left.
func (m *mover) wait(left time.Duration) {
	switch {
	case !m.doze.Load():
		if left > 2*spin {
			sleep(left - spin)
		}
	case runtime.GOMAXPROCS(0) == 1: // the parent's turn must come as well
		time.Sleep(min(left, time.Millisecond))
	default:
		sleep(left)
	}
}

func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(min(d, time.Millisecond)))
	_ = unix.Nanosleep(&ts, nil)
}

// strike does one stroke. void: it took what was no longer its own, which another
// user could not have done.
func (m *mover) strike(a stroke, p part) (ok, void bool) {
	var err error
	switch a.kind {
	case strokePut:
		err = m.disk.rename(a.src, a.dest)
	case strokeTake:
		if err = m.disk.rename(a.dest, a.src); err == nil && !p.others {
			void = !p.own(m.disk.stat(a.src).id)
		}
	case strokeSwap:
		if err = m.disk.exchange(a.src, a.dest); err == nil && !p.others {
			void = !p.own(m.disk.stat(a.src).id)
		} else if err != nil {
			err = m.disk.rename(a.src, a.dest)
		}
	}
	return err == nil, void
}
