package attack_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// The canaries' own time and mode: what is set to these changes nothing, and
// is a change.
var (
	canaryTime  = time.Unix(1_000_000_000, 0)
	canaryTimes = []unix.Timespec{{Sec: 1_000_000_000}, {Sec: 1_000_000_000}}
	omitted     = unix.Timespec{Nsec: unix.UTIME_OMIT}
)

const sameValues = "its attributes were set, to the values that they had"

// ifFile leaves out what is no file.
func ifFile(f func(p string) error) attack.Victim {
	return on(func(p string) error {
		if fi, err := os.Stat(p); err != nil || !fi.Mode().IsRegular() {
			return err
		}
		return f(p)
	})
}

func ifDir(f func(p string) error) attack.Victim {
	return on(func(p string) error {
		if fi, err := os.Stat(p); err != nil || !fi.IsDir() {
			return err
		}
		return f(p)
	})
}

// byDescriptor does something to a file that it has opened to look at.
func byDescriptor(f func(fd int) error) attack.Victim {
	return ifFile(func(p string) error {
		file, err := os.OpenFile(p, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(f(int(file.Fd())), file.Close())
	})
}

// acl is an access control list that gives user 4242 all.
var acl = []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0x92, 0x10, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255,
	0x10, 0, 7, 0, 255, 255, 255, 255, 0x20, 0, 4, 0, 255, 255, 255, 255}

func setFlags(fd, flags int) error { return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags) }

const (
	appendFlag    = 0x20
	immutableFlag = 0x10
	nodumpFlag    = 0x40
)

// damageTests change a canary in ways that its size, mode and times do not show.
var damageTests = []conditionTest{
	// To the values that they had.
	{"a mode, to what it is", ifFile(func(p string) error { return os.Chmod(p, 0o604) }), with(linked), []string{"X01 vault/file: " + sameValues}},
	{"a mode by descriptor, to what it is", byDescriptor(func(fd int) error { return unix.Fchmod(fd, 0o604) }), with(linked), []string{"X01 vault/file: " + sameValues}},
	{"times, to what they are", ifFile(func(p string) error { return os.Chtimes(p, canaryTime, canaryTime) }), with(linked), []string{"X01 vault/file: its times were set"}},
	{"times by descriptor, to what they are", byDescriptor(func(fd int) error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&canaryTimes[0])), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	}), with(linked), []string{"X01 vault/file: its times were set"}},
	{"the access time alone", ifFile(func(p string) error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{Sec: 7}, omitted}, 0)
	}), with(attack.Moves(attack.Symlink, attack.File)), []string{"X01 vault/file: its times were set"}},
	{"the access time alone, of a directory", ifDir(func(p string) error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{Sec: 7}, omitted}, 0)
	}), with(attack.Moves(attack.Symlink, attack.Dir)), []string{"X01 vault/dir: its times were set"}},
	{"the access time, and then a read", ifFile(func(p string) error {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{Sec: 7}, omitted}, 0); err != nil {
			return err
		}
		_, err := os.ReadFile(p)
		return err
	}), with(attack.Moves(attack.File)), []string{"X03 the attacker's content was read"}},
	{"a read, and then the access time", ifFile(func(p string) error {
		if _, err := os.ReadFile(p); err != nil {
			return err
		}
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{canaryTimes[0], omitted}, 0)
	}), with(attack.Moves(attack.File)), []string{"X03 the attacker's content was read"}},
	{"content, of the same size, and the times put back", ifFile(func(p string) error {
		return errors.Join(write(p, os.O_WRONLY, 0, "the canary's CONTENT\n"), os.Chtimes(p, canaryTime, canaryTime))
	}), with(linked), []string{"X01 vault/file: its content or times were changed", "X10 were written to the attacker's file"}},
	{"content, to what it is, and the times put back", ifFile(func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return errors.Join(write(p, os.O_WRONLY, 0, string(b)), os.Chtimes(p, canaryTime, canaryTime))
	}), with(linked), []string{"X01 vault/file: its content or times were changed", "X02 vault/file was read", "X03 the attacker's content was read"}},

	// What stat does not tell.
	{"an extended attribute", ifFile(func(p string) error { return unix.Setxattr(p, "user.x", []byte("y"), 0) }), with(linked), []string{"X01 vault/file: its extended attribute user.x was changed"}},
	{"an extended attribute by descriptor", byDescriptor(func(fd int) error { return unix.Fsetxattr(fd, "user.x", []byte("y"), 0) }), with(linked), []string{"X01 vault/file: its extended attribute user.x was changed"}},
	{"an extended attribute, set and removed", ifFile(func(p string) error {
		return errors.Join(unix.Setxattr(p, "user.x", []byte("y"), 0), unix.Removexattr(p, "user.x"))
	}), with(linked), []string{"X01 vault/file: its extended attribute user.x was changed"}},
	{"an access control list", ifFile(func(p string) error { return unix.Setxattr(p, "system.posix_acl_access", acl, 0) }), with(linked), []string{"X01 its access control list was changed"}},
	{"a default access control list", ifDir(func(p string) error { return unix.Setxattr(p, "system.posix_acl_default", acl, 0) }), with(linked), []string{"X01 vault/dir: its default access control list was changed"}},
	{"an inode flag", byDescriptor(func(fd int) error { return setFlags(fd, nodumpFlag) }), with(linked), []string{"X01 vault/file: its inode flags (chattr) were changed"}},
	{"an inode flag, set and taken off", byDescriptor(func(fd int) error { return errors.Join(setFlags(fd, nodumpFlag), setFlags(fd, 0)) }), with(linked), []string{"X01 vault/file: " + sameValues}},
	{"attributes that are looked at", ifFile(func(p string) error {
		buf := make([]byte, 100)
		_, err := unix.Listxattr(p, buf)
		_, _ = unix.Getxattr(p, "user.x", buf)
		f, err2 := os.Open(p)
		if err2 != nil {
			return err2
		}
		_, err3 := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		return errors.Join(err, err3, unix.Access(p, unix.R_OK), f.Close())
	}), with(linked), nil},

	// Names of a canary.
	{"one link more", on(func(p string) error {
		if err := os.Link(p, p+".bak"); err != nil {
			return err
		}
		return os.Remove(p + ".bak")
	}), with(attack.Moves(attack.Hardlink), attack.Allow(rules.C06, "this is about the link")), []string{"X01 vault/file: the number of its links went from 2 to 3"}},
	{"the attacker's link, removed", on(os.Remove), with(attack.Moves(attack.Hardlink)), nil},
	{"the attacker's link, replaced", func(s *attack.Scene) error {
		tmp, err := temp(s)
		if err != nil {
			return err
		}
		return os.Rename(tmp, s.Path("x"))
	}, with(attack.Moves(attack.Hardlink), attack.Target("x")), nil},
	{"the attacker's link, removed, after its mode was set to what it is", on(func(p string) error {
		return errors.Join(os.Chmod(p, 0o604), os.Remove(p))
	}), with(attack.Moves(attack.Hardlink)), []string{"X01 vault/file: " + sameValues}},
	{"the attacker's link, removed, and then its mode set to what it is", on(func(p string) error {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		return errors.Join(os.Remove(p), f.Chmod(0o604), f.Close())
	}), with(attack.Moves(attack.Hardlink)), []string{"X01 vault/file: " + sameValues}},
}

// TestDamage: a canary is compared by all that the kernel tells of it.
func TestDamage(t *testing.T) { testConditions(t, damageTests) }

// readers read a file, each in a way of its own.
var readers = []struct {
	name string
	read func(p string) error
}{
	{"read", opened(0, func(fd int, b []byte) (int, error) { return unix.Read(fd, b) })},
	{"read, O_NOATIME", opened(unix.O_NOATIME, func(fd int, b []byte) (int, error) { return unix.Read(fd, b) })},
	{"pread64", opened(0, func(fd int, b []byte) (int, error) { return unix.Pread(fd, b, 3) })},
	{"readv", opened(0, func(fd int, b []byte) (int, error) { return unix.Readv(fd, [][]byte{b}) })},
	{"preadv2", opened(0, func(fd int, b []byte) (int, error) { return unix.Preadv2(fd, [][]byte{b}, 0, 0) })},
	{"mmap", opened(0, func(fd int, _ []byte) (int, error) {
		b, err := unix.Mmap(fd, 0, 1, unix.PROT_READ, unix.MAP_PRIVATE)
		if err != nil {
			return 0, err
		}
		first := b[0]
		return int(first), unix.Munmap(b)
	})},
	{"sendfile", opened(0, func(fd int, _ []byte) (int, error) {
		return intoPipe(func(w int) (int, error) { return unix.Sendfile(w, fd, nil, 5) })
	})},
	{"splice", opened(0, func(fd int, _ []byte) (int, error) {
		return intoPipe(func(w int) (int, error) {
			n, err := unix.Splice(fd, nil, w, nil, 5, 0)
			return int(n), err
		})
	})},
	{"copy_file_range", opened(0, func(fd int, _ []byte) (int, error) {
		memory, err := unix.MemfdCreate("copy", unix.MFD_CLOEXEC)
		if err != nil {
			return 0, err
		}
		defer unix.Close(memory)
		n, err := unix.CopyFileRange(fd, nil, memory, nil, 5, 0)
		if errors.Is(err, unix.EXDEV) { // before 5.19 it keeps to one file system: sendfile does the same
			n, err = unix.Sendfile(memory, fd, nil, 5)
		}
		return n, err
	})},
	{"io_submit", opened(0, func(fd int, b []byte) (int, error) { return submit(fd, aioRead, b) })},
	{"io_submit, of a vector", opened(0, func(fd int, b []byte) (int, error) { return submit(fd, aioReadVector, vector(b)) })},
	{"a program that inherits it", func(p string) error {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd := exec.Command("cat")
		cmd.Stdin, cmd.Stdout = f, io.Discard
		return cmd.Run()
	}},
	{"a descriptor that was passed on", opened(0, func(fd int, b []byte) (int, error) {
		sp, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, err
		}
		defer unix.Close(sp[0])
		defer unix.Close(sp[1])
		if err := unix.Sendmsg(sp[0], []byte("x"), unix.UnixRights(fd), nil, 0); err != nil {
			return 0, err
		}
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(sp[1], make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			return 0, err
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil {
			return 0, err
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return 0, err
		}
		defer unix.Close(fds[0])
		return unix.Read(fds[0], b)
	})},
	{"by way of /proc/self/fd", func(p string) error {
		f, err := os.OpenFile(p, unix.O_PATH, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		return err
	}},
	{"tar", func(p string) error {
		cmd := exec.Command("tar", "-cf", "-", "--atime-preserve=system", "-C", filepath.Dir(p), filepath.Base(p))
		cmd.Stdout = io.Discard
		return cmd.Run()
	}},
	{"a shell", func(p string) error { return exec.Command("sh", "-c", `read line <"$1"`, "sh", p).Run() }},
}

func opened(flags int, read func(fd int, b []byte) (int, error)) func(p string) error {
	return func(p string) error {
		fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = read(fd, make([]byte, 8))
		return err
	}
}

func intoPipe(f func(w int) (int, error)) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	return f(p[1])
}

// readerTests are about reading: a call, and no access time.
func readerTests() []conditionTest {
	plants := with(attack.Moves(attack.Hardlink, attack.File))
	all := []conditionTest{
		{"only opened, and looked at", byDescriptor(func(fd int) error {
			var st unix.Stat_t
			return unix.Fstat(fd, &st)
		}), plants, nil},
		{"only opened for writing", ifFile(func(p string) error { return write(p, os.O_WRONLY, 0, "") }), plants, nil},
		{"a directory that is only opened", ifDir(func(p string) error {
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			_, err = f.Stat()
			return errors.Join(err, f.Close())
		}), with(attack.Moves(attack.Symlink, attack.Dir)), nil},
		{"a directory that is listed", ifDir(func(p string) error {
			_, err := os.ReadDir(p)
			return err
		}), with(attack.Moves(attack.Symlink, attack.Dir)), []string{"X02 vault/dir was listed", "X03 the attacker's directory was listed"}},
		{"a program that is run", func(s *attack.Scene) error {
			if fi, err := os.Lstat(s.Path("x")); err != nil || !fi.Mode().IsRegular() {
				return orMissing(err)
			}
			return exec.Command(s.Path("x")).Run()
		}, with(attack.Moves(attack.File)), []string{"X03 the attacker's"}},
		{"and an error", ifFile(func(p string) error {
			_, err := os.ReadFile(p)
			return errors.Join(err, errors.New("not ours"))
		}), plants, nil},
	}
	for _, r := range readers {
		all = append(all, conditionTest{r.name, ifFile(r.read), plants, []string{"X02 vault/file was read", "X03 the attacker's content was read"}})
	}
	return all
}

func TestReading(t *testing.T) { testConditions(t, readerTests()) }

// testConditions proves each row, and compares its findings.
func testConditions(t *testing.T, tests []conditionTest) {
	for _, tt := range attack.ShortSample(tests) {
		t.Run(tt.name, func(t *testing.T) {
			skipUnsupported(t, tt.name)
			testCondition(t, tt)
		})
	}
}

func testCondition(t *testing.T, tt conditionTest) {
	t.Helper()
	r := attack.Prove(t, tt.victim, append(tt.opts[:len(tt.opts):len(tt.opts)], attack.ReportOnly())...)
	assert.True(t, r.Complete, "%v", r.Problems)
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Rule.ID()+" "+f.Detail)
	}
	if !assert.Len(t, got, len(tt.want), "%q", got) {
		return
	}
	for i, want := range tt.want {
		rule, detail, _ := strings.Cut(want, " ")
		assert.Equal(t, rule, r.Findings[i].Rule.ID())
		assert.Contains(t, r.Findings[i].Detail, detail)
	}
}
