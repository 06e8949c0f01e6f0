package attack_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// controlCalls are calls of whose errors code must take note. Each victim makes its
// call on a file that it has written, beside the target; the broken one leaves
// what it returns out, and the target then is not what it should be.
var controlCalls = []struct {
	call string
	errs string // that are tried, as %v has them
	do   func(f *os.File, s *attack.Scene) error
}{
	{"syncfs", "EIO ENOSPC EDQUOT", func(f *os.File, _ *attack.Scene) error { return unix.Syncfs(int(f.Fd())) }},
	{"sync_file_range", "EIO ENOSPC EDQUOT", func(f *os.File, _ *attack.Scene) error {
		return unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}},
	{"msync", "EIO ENOSPC EDQUOT", func(f *os.File, _ *attack.Scene) error {
		b, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		return errors.Join(unix.Msync(b, unix.MS_SYNC), unix.Munmap(b))
	}},
	{"flock", "EAGAIN ENOLCK", func(f *os.File, _ *attack.Scene) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }},
	{"flock", "EINTR ENOLCK", func(f *os.File, _ *attack.Scene) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) }},
	{"fcntl", "EAGAIN ENOLCK", func(f *os.File, _ *attack.Scene) error {
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}},
	{"fcntl", "EINTR ENOLCK", func(f *os.File, _ *attack.Scene) error {
		return unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
	}},
	{"lseek", "EIO", func(f *os.File, _ *attack.Scene) error { _, err := f.Seek(0, 2); return err }},
	{"fstatfs", "EIO ENOMEM", func(f *os.File, _ *attack.Scene) error {
		var st unix.Statfs_t
		return unix.Fstatfs(int(f.Fd()), &st)
	}},
	{"dup3", "EBUSY", func(f *os.File, s *attack.Scene) error {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		return errors.Join(unix.Dup3(int(null.Fd()), int(f.Fd()), unix.O_CLOEXEC), null.Close())
	}},
	{"ioctl", "ENOTSUP EXDEV ENOSPC EDQUOT EPERM EIO", func(f *os.File, s *attack.Scene) error {
		from, err := os.Open(os.Args[0])
		if err != nil {
			return err
		}
		// What cannot be shared is copied: an error is no fault but where it stays.
		err = unix.IoctlFileClone(int(f.Fd()), int(from.Fd()))
		if errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
			err = nil
		}
		return errors.Join(err, from.Close())
	}},
}

// TestFaultsOfControl: each of these calls is made to fail, and the code that
// leaves its error out is found where that breaks its promise.
func TestFaultsOfControl(t *testing.T) {
	for _, tt := range controlCalls {
		t.Run(tt.call, func(t *testing.T) {
			victim := func(heeds bool) attack.Victim {
				return func(s *attack.Scene) error {
					f, err := os.OpenFile(s.Path("work"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
					if err != nil {
						return err
					}
					defer os.Remove(s.Path("work"))
					_, err = f.WriteString("x")
					if err == nil {
						err = tt.do(f, s)
					}
					failed := err != nil
					if cerr := f.Close(); cerr != nil {
						return cerr
					}
					if err != nil && heeds {
						return err
					}
					return os.WriteFile(s.Path("out"), fmt.Appendf(nil, "%v", failed), 0o600)
				}
			}
			faults := func(heeds bool) (found bool, tried []string) {
				r := attack.Faults(t, victim(heeds), attack.Target("out"), attack.ReportOnly(), attack.Told(func(schedule string) {
					if m := oneFailure.FindStringSubmatch(schedule); m != nil && m[2] == tt.call {
						tried = append(tried, m[1])
					}
				}))
				for _, f := range r.Findings {
					m := oneFailure.FindStringSubmatch(f.Schedule)
					found = found || f.Rule == rules.X05 && m != nil && m[2] == tt.call
				}
				return found, tried
			}
			found, tried := faults(false)
			assert.True(t, found, "the broken one is not found")
			assert.Equal(t, tt.errs, strings.Join(tried, " "))
			found, _ = faults(true)
			assert.False(t, found, "the twin is found")
		})
	}
}

// oneFailure is a schedule that lets one call fail, once.
var oneFailure = regexp.MustCompile(`^fail-([A-Z]+)@(\w+):[^;]*$`)

// TestControlWithoutFaults: the kernel gives no error where none can come, and
// none is tried.
func TestControlWithoutFaults(t *testing.T) {
	attack.Faults(t, func(s *attack.Scene) error {
		f, err := os.OpenFile(s.Path("work"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer os.Remove(s.Path("work"))
		defer f.Close()
		_, err = f.Seek(0, 0)
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), err)
	}, attack.ReportOnly(), attack.Told(func(schedule string) {
		assert.NotRegexp(t, `fail-[A-Z]+(-on)?@(flock|lseek):`, schedule)
	}))
}
