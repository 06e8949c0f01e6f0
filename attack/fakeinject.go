package attack

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"

	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// injectedFake is what a schedule of Faults or Kills has done to the victim's
// operations in this run.
type injectedFake struct {
	closing syscall.Errno // what the close that is under way is to return
	open    map[*fsfake.File]openFile
}

// openFile is what the victim has open.
type openFile struct {
	nameless bool // O_TMPFILE made it
	flag     int
	listed   bool // in part at least
}

// inject answers an operation otherwise than by letting it go on.
func (w *fakeWorld) inject(b *boundary, op *fsfake.Op) error {
	switch b.answer.act {
	case fail:
		if b.kind != supervise.Close {
			return b.answer.errno
		}
		w.closing = b.answer.errno // it closes all the same
	case short:
		op.Shorten(len(op.Data) / 2)
	case kill:
		if b.answer.sig == syscall.SIGKILL {
			// What is deferred runs, but comes to the disk no more.
			w.end(runEnd{o: &outcome{End: killed, Context: ownContext(), Spent: true}})
		}
		w.end(runEnd{err: fmt.Errorf("%s cannot be sent to one goroutine of this process, where the disk in memory has the victim: leave Fake out", signalName(b.answer.sig))})
	default:
		w.end(runEnd{err: fmt.Errorf("nothing of that kind can be injected at %s", b.call)})
	}
	return nil
}

// injected sees what came of an operation. mu is held.
func (w *fakeWorld) injected(op *fsfake.Op) {
	if !w.opt.verb.injects() || w.phase != inVictim {
		return
	}
	switch {
	case op.Name == "open" && op.Err == nil:
		w.open[op.File] = openFile{nameless: op.Flag&fsfake.O_TMPFILE == fsfake.O_TMPFILE, flag: op.Flag}
	case op.Name == "readdir":
		f, own := w.open[op.File]
		if toTheEnd(op, f.listed) {
			w.endOfListing(op)
		}
		if f.listed = true; own {
			w.open[op.File] = f
		}
	case op.Name == "close":
		delete(w.open, op.File)
		if w.closing != 0 {
			op.Err, w.closing = w.closing, 0
		}
	}
}

// toTheEnd says that package os calls once more to see that there is no more: it
// was asked for all, or for more than what came. That nothing came is such a
// call's own result, but where even an empty directory has its two dots.
func toTheEnd(op *fsfake.Op, listed bool) bool {
	switch op.Err {
	case nil:
		return op.Offset <= 0 || int64(op.N) < op.Offset
	case io.EOF:
		return !listed
	}
	return false
}

// endOfListing is the call with which package os learns from the kernel that a
// listing is over: the disk in memory says so in the same operation.
func (w *fakeWorld) endOfListing(op *fsfake.Op) {
	b := w.boundary(op)
	if b == nil {
		return
	}
	if err := w.h.at(b); err != nil {
		w.end(runEnd{err: err})
	}
	if b.answer.act != goOn {
		if err := w.inject(b, op); err != nil {
			op.Err = err
		}
	}
}

// openFiles names what the victim has left open in the scene. mu is held.
func (w *fakeWorld) openFiles() []string {
	if w.opt.verb != faults {
		return nil // where it is in one process with Restart, that finds no lock
	}
	var names []string
	for f := range w.open {
		if name := w.objectOf(f); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// point is a point in the victim's code at which a panic can be injected.
func (w *fakeWorld) point(op, name string) {
	w.mu.Lock()
	if w.over.Load() {
		w.mu.Unlock()
		runtime.Goexit()
	}
	if w.phase != inVictim {
		w.mu.Unlock()
		return
	}
	b := &w.stands
	*b = boundary{call: op, point: true, locate: w.located}
	if n := w.d.named(fakePath(name)); under(n, dirShared) || under(n, dirHome) {
		b.object = n
	}
	if err := w.h.at(b); err != nil {
		w.end(runEnd{err: err})
	}
	act := b.answer.act
	w.mu.Unlock()
	switch act {
	case panics:
		panic(injectedPanic)
	case goexits:
		runtime.Goexit()
	}
}

// descriptorOf looks at the open file that an operation acts on.
func (w *fakeWorld) descriptorOf(f *fsfake.File, name string) descriptor {
	o, ok := w.open[f]
	if !ok {
		return descriptor{}
	}
	d := descriptor{write: o.flag&(os.O_WRONLY|os.O_RDWR) != 0, nonblock: o.flag&fsfake.O_NONBLOCK != 0}
	switch n := w.d.stat(name); {
	case n.exists():
		d.kind = n.kindName()
	case o.nameless || d.write: // what is removed and is no directory
		d.kind = "file"
	}
	return d
}
