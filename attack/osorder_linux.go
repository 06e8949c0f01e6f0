package attack

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// A call that was let go has not run yet when another thread comes to its
// next one. What the attacker sees, and what a move meets, would then depend
// on which of the two is faster. So there is one call at a time: the next is
// looked at when the last is over.

const (
	callCPU  = 5 * time.Millisecond   // of processor time, more than a call takes: the thread has gone on
	callWait = 200 * time.Millisecond // for a call that sleeps: a connect, a FIFO of the victim's own
	callPoll = 20 * time.Microsecond
)

// oneAtATime waits until the calls of other threads are over, and notes those
// that may not be.
func (w *osWorld) oneAtATime(tid int) {
	delete(w.inCall, tid)
	delete(w.slow, tid)
	for other := range w.inCall {
		if !w.awaitCall(other) {
			w.slow[other] = true
		}
		delete(w.inCall, other)
	}
}

// awaitCall says whether the call of a thread is over.
func (w *osWorld) awaitCall(tid int) bool {
	if !w.calling(tid) {
		return true
	}
	cpu, since := cpuTime(tid), time.Now()
	defer w.d.forget()
	for cpuTime(tid)-cpu < callCPU && time.Since(since) < w.callWait(tid) {
		time.Sleep(callPoll)
		if !w.calling(tid) {
			return true
		}
	}
	return false
}

// busy says that the last call of a thread, of which no other has been met
// since, may not have run to its end. Of most it is known without asking the
// kernel: a victim with 200 threads would else be asked for each at each call.
func (w *osWorld) busy(tid int) bool {
	if w.held != nil && w.held.TID == tid {
		return true
	}
	return (w.slow[tid] || w.waiting[tid] != "") && w.calling(tid)
}

// calling says that a thread may still be in the call it was let into, and
// does not yet stand at its next one.
func (w *osWorld) calling(tid int) bool { return !w.tree.Arrived(tid) && w.tree.Busy(tid) }

// callWait is longer for a thread that wants to run and does not get to it.
func (w *osWorld) callWait(tid int) time.Duration {
	if state := processState(tid); state == 'R' || state == 'D' {
		return runWait / 2
	}
	return callWait
}

// cpuTime is the processor time that a thread has used.
func cpuTime(tid int) time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/schedstat")
	if err != nil {
		return 0
	}
	used, _, _ := bytes.Cut(b, []byte(" "))
	ns, _ := strconv.ParseInt(string(used), 10, 64)
	return time.Duration(ns)
}
