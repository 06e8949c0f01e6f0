//go:build linux

package attack_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// inPrivateThread runs f in a thread with a root, a working directory and a
// mount table of its own, and lets the thread end with it: the process, which
// lives on for the next schedule, keeps what it has.
func inPrivateThread(f func() error) error {
	type end struct {
		tid int
		err error
	}
	ended := make(chan end, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The first thread would stay. While it is held, others are not it.
			err := inPrivateThread(f)
			runtime.UnlockOSThread()
			ended <- end{0, err}
			return
		}
		err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
		if err != nil {
			err = fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
		} else if err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			err = fmt.Errorf("making the mounts private: %w", err)
		} else {
			err = f()
		}
		ended <- end{unix.Gettid(), err}
	}()
	e := <-ended
	for e.tid != 0 && unix.Tgkill(unix.Getpid(), e.tid, 0) == nil { // until it is gone, with its mounts
		runtime.Gosched()
	}
	return e.err
}

// missing says why mount, chroot and pivot_root cannot be called here, by
// call; a call that works is not in it.
var missing = sync.OnceValue(func() map[string]string {
	reasons := map[string]string{}
	dir := os.TempDir()
	for _, probe := range []struct {
		call string
		f    func() error
	}{
		{"mount", func() error { return nil }},
		{"chroot", func() error { return unix.Chroot(dir) }},
		{"pivot_root", func() error { return unix.PivotRoot(dir, dir) }},
	} {
		err := inPrivateThread(func() error {
			if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
				return fmt.Errorf("mount: %w", err)
			}
			return probe.f()
		})
		if err != nil {
			reasons[probe.call] = fmt.Sprintf("%s cannot be called (root and a mount namespace of its own are needed): %v", probe.call, err)
		}
	}
	return reasons
})
