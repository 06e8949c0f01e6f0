package attack_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// notified is alarmed where the code has asked for the signal.
func notified(code func() error) error {
	alarms := make(chan os.Signal, 1)
	signal.Notify(alarms, unix.SIGALRM)
	defer signal.Stop(alarms)
	return alarmed(code)
}

// alarmed runs code while the process gets SIGALRM each millisecond. Go has a
// handler for it, which interrupts calls, whether anybody asked for it or not.
func alarmed(code func() error) error {
	ms := unix.Itimerval{Interval: unix.Timeval{Usec: 1000}, Value: unix.Timeval{Usec: 1000}}
	if _, err := unix.Setitimer(unix.ItimerReal, ms); err != nil {
		return err
	}
	err := code()
	_, stop := unix.Setitimer(unix.ItimerReal, unix.Itimerval{})
	return errors.Join(err, stop)
}

// preempted runs code while its thread gets what Go's scheduler sends, at any
// moment but for a bounded number: a slow machine would never get on.
func preempted(code func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var wg sync.WaitGroup
	var over atomic.Bool
	pid, tid := unix.Getpid(), unix.Gettid()
	wg.Go(func() {
		for range 200 {
			if over.Load() {
				return
			}
			_ = unix.Tgkill(pid, tid, unix.SIGURG)
			time.Sleep(50 * time.Microsecond)
		}
	})
	err := code()
	over.Store(true)
	wg.Wait()
	return err
}

// bereaved runs code while children of the process die.
func bereaved(code func() error) error {
	var children []*exec.Cmd
	for range 2 {
		child := exec.Command("/bin/sh", "-c", "kill -KILL $$")
		if err := child.Start(); err != nil {
			return err
		}
		children = append(children, child)
	}
	err := code()
	for _, child := range children {
		_ = child.Wait()
	}
	return err
}

// TestUnderSignals: signals change neither the verdict nor its boundaries.
func TestUnderSignals(t *testing.T) {
	for _, under := range []struct {
		name string
		run  func(func() error) error
		slow bool // leaves a goroutine behind, so that each schedule gets its own process
	}{{"SIGALRM each ms", alarmed, false}, {"SIGALRM each ms, asked for", notified, true}, {"SIGURG", preempted, false}, {"children that die", bereaved, false}} {
		for _, tt := range []struct {
			name string
			flag int
			want string
		}{{"check, then create", os.O_WRONLY | os.O_CREATE, "X01 X05 X07 X10"}, {"check, then create exclusively", excl, ""}} {
			t.Run(under.name+": "+tt.name, func(t *testing.T) {
				if under.slow && !attack.Long {
					t.Skip("takes seconds: run with TMPPROOF_LONG=1")
				}
				r := attack.Prove(t, func(s *attack.Scene) error {
					return under.run(func() error {
						if _, err := os.Lstat(s.Path("out")); err == nil {
							return errors.New("exists")
						}
						return write(s.Path("out"), tt.flag, 0o600, "defaults")
					})
				}, attack.Target("out"), attack.Depth(1), attack.ReportOnly())
				require.True(t, r.Complete)
				show(t, r)
				assert.Equal(t, tt.want, ruleIDs(r))
				assert.Equal(t, 2, r.Boundaries)
			})
		}
	}
}
