//go:build linux

package attack_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// inPrivateThread runs f in a thread with a root, a working directory and a
// mount table of its own, and gives the thread back those of the process
// afterwards: the process lives on for the next schedule.
func inPrivateThread(f func() error) error {
	end := make(chan error)
	privateThread() <- func() { end <- private(f) }
	return <-end
}

// privateThread is the one thread for that, which others' goroutines never
// come to.
var privateThread = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go inOwnThread(jobs)
	return jobs
})

func inOwnThread(jobs <-chan func()) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // whose root is what others see as the process's
		go inOwnThread(jobs)
		select {}
	}
	for f := range jobs {
		f()
	}
}

func private(f func() error) (err error) {
	shared, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	defer shared.Close()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
	}
	defer func() { // the mounts go with the last that sees them
		err = errors.Join(err, unix.Setns(int(shared.Fd()), unix.CLONE_NEWNS))
	}()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	return f()
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
