package leakcheck

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/internal/rerun"
)

// again runs a test again, alone, in a child process: under a supervisor, or
// where there is none with a trace. With a trial and an error the test was cut
// short: what the trial has was left, and what it has not may have been yet to
// come.
//
// It goes on for a while when something that the test started outlives it. What
// is open of the leaks is not known yet.
func (s *session) again(test string, linger time.Duration, open []*leak, deadline time.Time) (*trial, error) {
	if s.whyTraced() == "" {
		tr, err := s.supervised(test, linger, open, deadline)
		var un *errUnsupported
		if !errors.As(err, &un) {
			return tr, err
		}
		s.mu.Lock()
		s.unsupervised = un.reason
		s.mu.Unlock()
	}
	return s.traced(test, linger, deadline)
}

// refused is why tests of this package have no supervisor.
var refused string

// whyTraced says why there is no supervisor, "" as far as that is not known.
func (s *session) whyTraced() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.unsupervised, refused)
}

// traceVariable is the name of the file into which a child writes its trace.
const traceVariable = "TMPPROOF_LEAKCHECK_TRACE"

// traced runs a test again with runtime/trace, which has the stacks of its
// system calls, but not their arguments.
func (s *session) traced(test string, linger time.Duration, deadline time.Time) (tr *trial, err error) {
	r, err := newRoot(filepath.Dir(s.root.path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.remove()) }()
	left := time.Until(deadline).Round(time.Millisecond)
	cmd, out, err := rerun.Whole(test, left)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.path, "trace")
	cmd.Env = append(append(cmd.Env, r.environ()...), traceVariable+"="+file, lingerVariable+"="+linger.String())
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(left, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait() // the test may fail
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("the child ended (%v) before it came to leakcheck: call it first in TestMain, or in the test:\n%s", cmd.ProcessState, out)
	}
	if lost := (*lostError)(nil); errors.As(r.lost(), &lost) {
		return &trial{lost: true}, nil
	}
	names, err := r.names()
	if err != nil {
		return nil, err
	}
	tr = &trial{left: entries(r.files, names, entry, s.opt), traced: true}
	var held []heldJSON
	if b, e := os.ReadFile(file + heldSuffix); e != nil || json.Unmarshal(b, &held) != nil {
		err = cutShort(cmd, out)
	}
	for _, h := range held {
		tr.left = append(tr.left, h.leak())
	}
	if len(tr.left) > 0 {
		all := callSitesOf(file)
		for _, l := range tr.left {
			l.line, l.doubt = all.of(l)
		}
	}
	return tr, err
}

// cutShort is the error of a child that ended before its test did: by a panic,
// its timeout, or a signal.
func cutShort(cmd *exec.Cmd, out *rerun.Output) error {
	why := ""
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			why = ": " + strings.TrimSpace(line)
			break
		}
	}
	return fmt.Errorf("the child ended (%v) before the test did%s", cmd.ProcessState, why)
}

// heldJSON is what a child says of a descriptor, a mapping or a process.
type heldJSON struct {
	Kind kind
	Name string
	What string
	PID  int
	Size int64
	Perm os.FileMode
}

func (h heldJSON) leak() *leak {
	return &leak{kind: h.Kind, name: h.Name, what: h.What, pid: h.PID, size: h.Size, perm: h.Perm}
}

// The child's side.

// runAgain is Run in a child.
func runAgain(m TestingM) int {
	tell, err := listen()
	if err != nil {
		fmt.Fprintln(os.Stderr, "leakcheck:", err)
		return 3
	}
	code := m.Run()
	tell()
	return code
}

// checkAgain is Check in a child.
func checkAgain(t testing.TB) {
	tell, err := listen()
	if err != nil {
		t.Fatal("leakcheck:", err)
	}
	t.Cleanup(tell)
}

var listening sync.Mutex

// listen begins the supervision or the trace, and returns what reports at the
// end. Inside of a Run, or of another Check, there is nothing to begin or to
// report.
func listen() (tell func(), err error) {
	if !listening.TryLock() {
		return func() {}, nil
	}
	linger, _ := time.ParseDuration(os.Getenv(lingerVariable))
	if err := os.Unsetenv(lingerVariable); err != nil {
		return nil, err
	}
	if file := os.Getenv(traceVariable); file != "" {
		return record(file, linger)
	}
	return attend(linger)
}

// lingerVariable is how long a child waits for what outlives its test.
const lingerVariable = "TMPPROOF_LEAKCHECK_LINGER"

// outlast waits until no goroutine and no process that the test has started is
// left, for a while at most.
func outlast(before int, most time.Duration, processes func() bool) {
	for end := time.Now().Add(most); time.Now().Before(end) && (goroutines() > before || processes()); {
		time.Sleep(5 * time.Millisecond)
	}
}

// heldSuffix makes the name of the file that says what the child holds.
const heldSuffix = ".held"

func record(file string, linger time.Duration) (tell func(), err error) {
	if err := os.Unsetenv(traceVariable); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	holds, busy, err := holder()
	if err != nil {
		return nil, err
	}
	failed := trace.Start(f) // another trace is being written: then no lines
	before := atMost()
	return func() {
		settle(before)
		outlast(before, linger, busy)
		if failed == nil {
			trace.Stop()
		}
		err := f.Close()
		if err == nil { // also when it holds nothing: the test is over
			var data []byte
			if data, err = json.Marshal(holds()); err == nil {
				err = os.WriteFile(file+heldSuffix, data, 0o600)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "leakcheck:", err)
		}
	}, nil
}
