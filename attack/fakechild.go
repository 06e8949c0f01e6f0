package attack

import (
	"bytes"
	"cmp"
	stdcontext "context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// serve is the goroutine that the victim runs in, again and again until a run
// does not come back.
func (w *fakeWorld) serve(ready chan<- struct{}) {
	// Goroutines that it starts bear the label as well.
	pprof.SetGoroutineLabels(pprof.WithLabels(stdcontext.Background(), pprof.Labels("tmpproof", w.label)))
	buf := make([]byte, 64)
	head, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("["))
	w.self = string(head)
	close(ready)
	for job := range w.jobs {
		job()
	}
}

// serveOnce is one run, for an explorer that waits elsewhere.
func (w *fakeWorld) serveOnce() {
	r := runEnd{o: &outcome{Context: ownContext(), Spent: true}} // if it ends the goroutine
	defer func() {
		select {
		case w.done <- r: // also when the victim has ended the goroutine
		default: // nobody waits for it any more
		}
	}()
	w.onceInto(&r)
}

// once is one run, for an explorer on this goroutine.
func (w *fakeWorld) once() runEnd {
	r := runEnd{o: &outcome{Context: ownContext()}}
	w.onceInto(&r)
	return r
}

func (w *fakeWorld) onceInto(r *runEnd) {
	verdict := w.verdict()
	defer func() {
		if r.err = cmp.Or(r.err, w.broken()); r.err == nil {
			r.err = verdict()
		}
	}()
	w.phases(r)
	r.o.Spent = r.o.Removed
}

// broken is the disk's own failure in the run.
func (w *fakeWorld) broken() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.defect == "" {
		return nil
	}
	return errors.New(w.defect)
}

// verdict gives what tells later whether the victim has decided the test.
func (w *fakeWorld) verdict() func() error {
	failed, skipped := w.t.Failed(), w.t.Skipped()
	return func() error {
		switch {
		case !failed && w.t.Failed():
			return errors.New("the victim failed the test (t.Error, t.Fatal or an assertion), which cannot be taken back within one process: let it return an error")
		case !skipped && w.t.Skipped():
			return errors.New("the victim skipped the test, which cannot be taken back within one process: skip it before the attack")
		}
		return nil
	}
}

// phases are Setup, the victim, Ensure.
func (w *fakeWorld) phases(r *runEnd) {
	o := r.o
	if w.opt.setup != nil {
		w.guarded(&o.Setup, w.opt.setup)
		if o.Setup != "" {
			return
		}
		if r.err = w.enter(inVictim, func() error { return errors.Join(w.h.prepared(), w.handOver()) }); r.err != nil {
			return
		}
	}
	before := runtime.NumGoroutine()
	w.victimRun(o)
	_ = w.enter(inLate, func() error { return nil }) // a call from now on comes too late
	o.Goroutines = w.lingering(before)
	select {
	case o.Late = <-w.late:
		o.Goroutines = max(o.Goroutines, 1)
		return
	default:
	}
	w.mu.Lock()
	if w.blocked != "" {
		o.End, o.Nil, o.Text, o.At = hung, false, w.blocked, w.blockedAt
	}
	o.Open = w.openFiles()
	w.mu.Unlock()
	if w.opt.ensure != nil && o.success() {
		_ = w.enter(inEnsure, func() error { w.h.returned(); return nil })
		w.guarded(&o.Ensure, w.opt.ensure)
	}
	if o.Goroutines > 0 {
		o.Late = w.lateCall()
	}
	if !w.d.stat(dirShared).isDir() || !w.d.stat(dirHome).isDir() {
		o.Removed = true
	}
}

// handOver gives the entries of Hostile, which Setup made as the victim, to the
// attacker.
func (w *fakeWorld) handOver() error {
	thief := w.d.thief[0].User()
	var err error
	for _, p := range w.attacker.own {
		if n := w.d.stat(p.name); n.exists() && int(n.uid) != thief.UID {
			err = errors.Join(err, w.d.god.Lchown(p.name, thief.UID, thief.GID))
			if n.perm&0o6000 != 0 {
				err = errors.Join(err, w.d.god.Chmod(p.name, modeOf(n.perm)))
			}
		}
	}
	return err
}

// victimRun calls the victim and notes how it ended.
func (w *fakeWorld) victimRun(o *outcome) { w.call(o, w.victim, w.scene) }

func (w *fakeWorld) call(o *outcome, victim Victim, scene *Scene) {
	returns := false
	defer func() {
		o.Context.End = time.Now().UnixNano()
		if returns {
			return
		}
		if v := recover(); v != nil {
			o.End, o.Text = panicked, brief(fmt.Sprint(v))
		} else {
			o.End = goexit
		}
	}()
	err := callVictim(victim, scene)
	returns = true
	o.End, o.Nil = returned, err == nil
	if err != nil {
		o.Err = w.plain(err.Error())
	}
}

// restart runs Restart on the disk as it is, with a view of its own: what still
// runs of the victim ends at its next call, and no boundary is met.
func (w *fakeWorld) restart() (*outcome, error) {
	fresh := &Scene{Dir: w.scene.Dir, Home: w.scene.Home, FS: w.d.disk.As(fakeVictim()).Quiet()}
	verdict := w.verdict()
	came := make(chan *outcome, 1)
	w.clock.start()
	go func() {
		o := &outcome{}
		defer func() { came <- o }()
		w.call(o, w.opt.restart, fresh)
	}()
	timer := time.NewTimer(time.Until(w.clock.next))
	defer timer.Stop()
	select {
	case o := <-came:
		return o, verdict()
	case <-timer.C:
	}
	if time.Now().After(w.clock.budget) {
		return nil, w.opt.usedUp(inRestart)
	}
	return &outcome{End: hung, Text: fmt.Sprintf("no return within %v, a tenth of the budget", w.clock.patience), Spent: true}, nil
}

// guarded runs one of the test's own functions, and keeps what it said.
func (w *fakeWorld) guarded(said *string, f func(*Scene) error) {
	*said = "it ended its goroutine (t.Fatal or runtime.Goexit)"
	defer func() {
		if v := recover(); v != nil {
			*said = "it panicked: " + brief(fmt.Sprint(v))
		}
	}()
	err := f(w.scene)
	*said = ""
	if err != nil {
		*said = w.plain(err.Error())
	}
}

// enter goes over to another phase, and does what the explorer does there.
func (w *fakeWorld) enter(phase string, do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Load() {
		return nil
	}
	w.phase = phase
	w.clock.start()
	return do()
}

// plain names the places of the scene as reports do.
func (w *fakeWorld) plain(text string) string {
	text = brief(text)
	for _, t := range w.d.temps {
		text = strings.ReplaceAll(text, t+"/", dirShared+"/")
	}
	return text
}

// lateCall waits for a call of a goroutine that the victim has left running.
func (w *fakeWorld) lateCall() string {
	_ = w.enter(inLate, func() error { return nil }) // after Ensure
	timer := time.NewTimer(lateWait)
	defer timer.Stop()
	select {
	case call := <-w.late:
		return call
	case <-timer.C:
		return ""
	}
}

// lingering counts goroutines that the victim started and that go on. Those
// that are about to end get the chance. The number of all goroutines is a
// quick answer, which other tests beside this one can make wrong either way;
// so the first run takes the sure one.
func (w *fakeWorld) lingering(before int) int {
	for i := 0; i < 10 && w.runs > 1; i++ {
		if runtime.NumGoroutine() <= before {
			return 0
		}
		runtime.Gosched()
	}
	for pause := time.Duration(0); ; pause = 2*pause + time.Microsecond {
		switch n := labelled(w.label) - 1; {
		case n <= 0:
			return 0
		case pause > lastPause:
			return n
		}
		time.Sleep(pause)
	}
}

// labelled counts the goroutines that bear a label.
func labelled(label string) int {
	var dump bytes.Buffer
	if pprof.Lookup("goroutine").WriteTo(&dump, 1) != nil {
		return 0
	}
	all, n := 0, 0
	for line := range strings.Lines(dump.String()) {
		if count, _, ok := strings.Cut(line, " @ "); ok {
			_, _ = fmt.Sscan(count, &n)
		} else if strings.HasPrefix(line, "# labels:") && strings.Contains(line, `"`+label+`"`) {
			all += n
		}
	}
	return all
}

// asleep says that the victim's own goroutine waits for another.
func (w *fakeWorld) asleep() bool {
	buf := make([]byte, 1<<20)
	_, after, ok := bytes.Cut(buf[:runtime.Stack(buf, true)], []byte(w.self+"["))
	state, _, _ := bytes.Cut(after, []byte("]"))
	state, _, _ = bytes.Cut(state, []byte(","))
	switch string(state) {
	case "running", "runnable", "sleep", "syscall", "IO wait":
		return false
	}
	return ok
}

// ownContext is what an attacker can know of this process.
func ownContext() context {
	c := thisProcess()
	c.Begin = time.Now().UnixNano()
	return c
}

var thisProcess = sync.OnceValue(func() context {
	c := context{PID: os.Getpid(), PPID: os.Getppid(), UID: os.Getuid(), GID: os.Getgid()}
	c.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		c.User = u.Username
	}
	return c
})
