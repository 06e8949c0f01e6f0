package attack_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unsafe"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

var (
	toFile     = []attack.Move{attack.Symlink, attack.Hardlink}
	toLink     = []attack.Move{attack.Symlink}
	toOwn      = []attack.Move{attack.File}
	toDir      = []attack.Move{attack.Symlink}
	secret     = []byte("secret")
	canaryText = []byte("the canary's content\n")
)

// call is a raw system call on a path, for those without a wrapper.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func cpath(s string) uintptr { return uintptr(unsafe.Pointer(&append([]byte(s), 0)[0])) }

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// memory is a file without a name that holds the secret.
func memory() (int, error) {
	fd, err := unix.MemfdCreate("secret", unix.MFD_CLOEXEC)
	if err == nil {
		_, err = unix.Pwrite(fd, secret, 0)
	}
	return fd, err
}

// copied copies out of a file without a name.
func copied(f func(to, memory int) error) func(fd int) error {
	return func(fd int) error {
		m, err := memory()
		if err != nil {
			return err
		}
		defer unix.Close(m)
		return f(fd, m)
	}
}

// writers write to an open file.
var writers = []struct {
	name  string
	flags int
	write func(fd int) error
}{
	{"write", unix.O_WRONLY, func(fd int) error { _, err := unix.Write(fd, secret); return err }},
	{"write, appending", unix.O_WRONLY | unix.O_APPEND, func(fd int) error { _, err := unix.Write(fd, secret); return err }},
	{"write, of a second descriptor", unix.O_WRONLY, func(fd int) error {
		second, err := unix.Dup(fd)
		if err != nil {
			return err
		}
		defer unix.Close(second)
		_, err = unix.Write(second, secret)
		return err
	}},
	{"write, by /proc/self/fd", unix.O_PATH, func(fd int) error {
		again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(again)
		_, err = unix.Write(again, secret)
		return err
	}},
	{"write, by a program", unix.O_WRONLY, func(fd int) error {
		second, err := unix.Dup(fd)
		if err != nil {
			return err
		}
		out := os.NewFile(uintptr(second), "inherited")
		defer out.Close()
		cmd := exec.Command("echo", "secret")
		cmd.Stdout = out
		return cmd.Run()
	}},
	{"writev", unix.O_WRONLY, func(fd int) error { _, err := unix.Writev(fd, [][]byte{secret}); return err }},
	{"pwrite64", unix.O_WRONLY, func(fd int) error { _, err := unix.Pwrite(fd, secret, 2); return err }},
	{"pwritev", unix.O_WRONLY, func(fd int) error { _, err := unix.Pwritev(fd, [][]byte{secret}, 2); return err }},
	{"pwritev2", unix.O_WRONLY, func(fd int) error { _, err := unix.Pwritev2(fd, [][]byte{secret}, 2, 0); return err }},
	{"sendfile", unix.O_WRONLY, copied(func(fd, m int) error {
		zero := int64(0)
		_, err := unix.Sendfile(fd, m, &zero, len(secret))
		return err
	})},
	{"copy_file_range", unix.O_WRONLY, copied(func(fd, m int) error {
		zero := int64(0)
		_, err := unix.CopyFileRange(m, &zero, fd, nil, len(secret), 0)
		if errors.Is(err, unix.EXDEV) {
			return unix.ENOSYS // of two file systems, before 5.19
		}
		return err
	})},
	{"splice", unix.O_WRONLY, func(fd int) error {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
		if _, err := unix.Write(p[1], secret); err != nil {
			return err
		}
		_, err := unix.Splice(p[0], nil, fd, nil, len(secret), 0)
		return err
	}},
	{"io_submit", unix.O_WRONLY, func(fd int) error { _, err := submit(fd, aioWrite, secret); return err }},
	{"io_submit, of a vector", unix.O_WRONLY, func(fd int) error {
		_, err := submit(fd, aioWriteVector, vector(secret))
		return err
	}},
	{"mmap", unix.O_RDWR, func(fd int) error {
		b, err := unix.Mmap(fd, 0, 6, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		copy(b, "SECRET")
		return errors.Join(unix.Msync(b, unix.MS_SYNC), unix.Munmap(b))
	}},
}

// setters set what is no content, through a descriptor.
var setters = []struct {
	name string
	set  func(fd int) error
}{
	{"fchmod", func(fd int) error { return unix.Fchmod(fd, 0o640) }},
	{"fchmod, to what it is", func(fd int) error {
		var st unix.Stat_t
		return errors.Join(unix.Fstat(fd, &st), unix.Fchmod(fd, st.Mode&0o7777))
	}},
	{"fchown, to who it is", func(fd int) error { return unix.Fchown(fd, os.Getuid(), os.Getgid()) }},
	{"futimens", func(fd int) error {
		return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, pointer(&[2]unix.Timespec{{Sec: 7}, {Sec: 7}}), 0)
	}},
	{"futimens, to what they are", func(fd int) error {
		return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, pointer(&canaryTimes[0]), 0)
	}},
	{"futimens, the access time", func(fd int) error {
		return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, pointer(&[2]unix.Timespec{{Sec: 7}, omitted}), 0)
	}},
	{"futimens, the modification time, to what it is", func(fd int) error {
		return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, pointer(&[2]unix.Timespec{omitted, canaryTimes[1]}), 0)
	}},
	{"fsetxattr", func(fd int) error { return unix.Fsetxattr(fd, "user.x", []byte("y"), 0) }},
	{"fsetxattr and fremovexattr", func(fd int) error {
		return errors.Join(unix.Fsetxattr(fd, "user.x", []byte("y"), 0), unix.Fremovexattr(fd, "user.x"))
	}},
	{"fsetxattr, an ACL", func(fd int) error { return unix.Fsetxattr(fd, "system.posix_acl_access", acl, 0) }},
	{"FS_IOC_SETFLAGS", func(fd int) error { return setFlags(fd, nodumpFlag) }},
	{"FS_IOC_SETFLAGS, set and taken off", func(fd int) error { return errors.Join(setFlags(fd, nodumpFlag), setFlags(fd, 0)) }},
}

// pathSetters set what is no content, by a path.
var pathSetters = []struct {
	name string
	set  func(p place) error
}{
	{"fchmodat", func(p place) error { return unix.Fchmodat(p.dir, p.name, 0o640, 0) }},
	{"fchmodat2", func(p place) error { return call(unix.SYS_FCHMODAT2, uintptr(p.dir), cpath(p.name), 0o640, 0) }},
	{"fchownat", func(p place) error { return unix.Fchownat(p.dir, p.name, os.Getuid(), os.Getgid(), 0) }},
	{"utimensat", func(p place) error { return unix.UtimesNanoAt(p.dir, p.name, []unix.Timespec{{Sec: 7}, {Sec: 7}}, 0) }},
	{"utimensat, to what they are", func(p place) error { return unix.UtimesNanoAt(p.dir, p.name, canaryTimes, 0) }},
	{"utimensat, the access time", func(p place) error {
		return unix.UtimesNanoAt(p.dir, p.name, []unix.Timespec{{Sec: 7}, omitted}, 0)
	}},
	{"utimensat, now", func(p place) error { return unix.UtimesNanoAt(p.dir, p.name, nil, 0) }},
	{"setxattr", func(p place) error { return unix.Setxattr(p.alone, "user.x", []byte("y"), 0) }},
	{"setxattr and removexattr", func(p place) error {
		return errors.Join(unix.Setxattr(p.alone, "user.x", []byte("y"), 0), unix.Removexattr(p.alone, "user.x"))
	}},
	{"setxattr, an ACL", func(p place) error { return unix.Setxattr(p.alone, "system.posix_acl_access", acl, 0) }},
	{"setxattrat", func(p place) error {
		args := struct {
			value       uint64
			size, flags uint32
		}{uint64(cpath("y")), 1, 0}
		return call(unix.SYS_SETXATTRAT, uintptr(p.dir), cpath(p.name), 0, cpath("user.x"), pointer(&args), unsafe.Sizeof(args))
	}},
}

// notInherited: of a script too, the path of which the kernel hands to its
// interpreter.
const notInherited = "no damage: the program does not have the descriptor that the path begins at"

func allMeans() (all []means) {
	add := func(m means) { all = append(all, m) }

	// A canary changed.
	for _, w := range writers {
		add(means{damage: "canary changed", name: w.name, rel: "x", plants: toFile, want: "X01", opens: true, do: opens(w.flags, w.write)})
	}
	add(means{damage: "canary changed", name: "write, of what is there", rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_WRONLY, func(fd int) error {
		_, err := unix.Write(fd, canaryText)
		return errors.Join(err, unix.Futimes(fd, []unix.Timeval{{Sec: 1e9}, {Sec: 1e9}}))
	})})
	add(means{damage: "canary changed", name: "ftruncate", rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_WRONLY, func(fd int) error { return unix.Ftruncate(fd, 3) })})
	add(means{damage: "canary changed", name: "ftruncate, to its size", rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_WRONLY, func(fd int) error {
		return unix.Ftruncate(fd, int64(len(canaryText)))
	})})
	add(means{damage: "canary changed", name: "fallocate", rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_WRONLY, func(fd int) error { return unix.Fallocate(fd, 0, 0, 100) })})
	add(means{damage: "canary changed", name: "open, truncating", rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_WRONLY|unix.O_TRUNC, func(int) error { return nil })})
	add(means{damage: "canary changed", name: "truncate", rel: "x", plants: toFile, want: "X01", do: func(_ *attack.Scene, p place) error { return unix.Truncate(p.alone, 3) }})
	for _, c := range setters {
		add(means{damage: "canary changed", name: c.name, rel: "x", plants: toFile, want: "X01", opens: true, do: opens(unix.O_RDONLY, func(fd int) error {
			var st unix.Stat_t
			if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
				return err
			}
			return c.set(fd)
		})})
		add(means{damage: "canary directory changed", name: c.name, rel: "x", plants: toDir, want: "X01", opens: true, do: opens(unix.O_RDONLY|unix.O_DIRECTORY, c.set)})
	}
	for _, c := range pathSetters {
		add(means{damage: "canary changed", name: c.name, rel: "x", plants: toFile, want: "X01", do: func(_ *attack.Scene, p place) error { return c.set(p) }})
		add(means{damage: "canary directory changed", name: c.name, rel: "x/.", plants: toDir, want: "X01", do: func(_ *attack.Scene, p place) error { return c.set(p) }})
	}
	add(means{damage: "canary directory changed", name: "setxattr, a default ACL", rel: "x/.", plants: toDir, want: "X01", do: func(_ *attack.Scene, p place) error {
		return unix.Setxattr(p.alone, "system.posix_acl_default", acl, 0)
	}})
	add(means{damage: "canary changed", name: "linkat, following", rel: "x", plants: toLink, want: "X01", do: func(s *attack.Scene, p place) error {
		to := s.Home + "/link"
		_ = os.Remove(to)
		return unix.Linkat(p.dir, p.name, unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
	}})

	// Made where nothing is, in a directory of another user's.
	makers := []struct {
		name string
		make func(s *attack.Scene, p place) error
	}{
		{"open, creating", opens(unix.O_WRONLY|unix.O_CREAT, func(int) error { return nil })},
		{"open, creating exclusively", opens(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, func(int) error { return nil })},
		{"mkdirat", func(_ *attack.Scene, p place) error { return unix.Mkdirat(p.dir, p.name, 0o700) }},
		{"mknodat", func(_ *attack.Scene, p place) error { return unix.Mknodat(p.dir, p.name, unix.S_IFIFO|0o600, 0) }},
		{"symlinkat", func(_ *attack.Scene, p place) error { return unix.Symlinkat("nowhere", p.dir, p.name) }},
		{"linkat", func(s *attack.Scene, p place) error {
			old, err := home(s, "old", "x", 0o600)
			return errors.Join(err, unix.Linkat(unix.AT_FDCWD, old, p.dir, p.name, 0))
		}},
		{"renameat2", func(s *attack.Scene, p place) error {
			old, err := home(s, "old", "x", 0o600)
			return errors.Join(err, unix.Renameat2(unix.AT_FDCWD, old, p.dir, p.name, 0))
		}},
		{"O_TMPFILE and linkat", func(s *attack.Scene, p place) error {
			fd, err := unix.Open(s.Home, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), p.dir, p.name, unix.AT_SYMLINK_FOLLOW)
		}},
		{"bind", func(_ *attack.Scene, p place) error {
			if len(p.alone) > 107 {
				return unix.ENOSYS
			}
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: p.alone})
		}},
	}
	for _, c := range makers {
		add(means{damage: "canary directory made in", name: c.name, rel: "x/new", plants: toDir, want: "X01", opens: strings.HasPrefix(c.name, "open, "), do: c.make})
		add(means{damage: "adopted", name: c.name, rel: "x/new", plants: []attack.Move{attack.Dir}, want: "X06", do: c.make})
	}
	add(means{damage: "made at the end of a link", name: "open, creating", rel: "x", plants: toLink, want: "X01", opens: true, do: func(_ *attack.Scene, p place) error {
		fd, err := p.open(unix.O_WRONLY|unix.O_CREAT, 0o600)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}})
	add(means{damage: "adopted", name: "mkdirat, and what is there", rel: "x", plants: []attack.Move{attack.Dir}, want: "X06", do: func(_ *attack.Scene, p place) error {
		if err := unix.Mkdirat(p.dir, p.name, 0o700); !errors.Is(err, unix.EEXIST) {
			return err
		}
		return nil
	}})

	// Removed.
	for _, c := range []struct {
		name   string
		remove func(s *attack.Scene, p place) error
	}{
		{"unlinkat", func(_ *attack.Scene, p place) error { return unix.Unlinkat(p.dir, p.name, 0) }},
		{"renameat2, away", func(s *attack.Scene, p place) error {
			return unix.Renameat2(p.dir, p.name, unix.AT_FDCWD, s.Home+"/away", 0)
		}},
		{"renameat2, over it", func(s *attack.Scene, p place) error {
			old, err := home(s, "old", "x", 0o600)
			return errors.Join(err, unix.Renameat2(unix.AT_FDCWD, old, p.dir, p.name, 0))
		}},
		{"renameat2, exchanging", func(s *attack.Scene, p place) error {
			old, err := home(s, "old", "x", 0o600)
			return errors.Join(err, unix.Renameat2(unix.AT_FDCWD, old, p.dir, p.name, unix.RENAME_EXCHANGE))
		}},
	} {
		add(means{damage: "canary removed", name: c.name, rel: "x/kept", plants: toDir, want: "X01", do: c.remove})
	}

	// Read, listed and run.
	for _, r := range readers {
		if strings.HasPrefix(r.name, "tar") {
			continue // in TestReading
		}
		reads := func(_ *attack.Scene, p place) error {
			fi, err := os.Stat(p.alone)
			if err != nil || !fi.Mode().IsRegular() {
				return err
			}
			return r.read(p.alone)
		}
		var foreign map[string]string
		if r.name == "a shell" {
			foreign = map[string]string{"descriptor": notInherited, "proc thread": notInherited, "in root": notInherited}
		}
		add(means{damage: "canary read", name: r.name, rel: "x", plants: toFile, want: "X02", do: reads, reasons: foreign})
		add(means{damage: "consumed", name: r.name, rel: "x", plants: []attack.Move{attack.File, attack.Symlink}, want: "X03", do: reads, reasons: foreign})
	}
	lists := opens(unix.O_RDONLY|unix.O_DIRECTORY, func(fd int) error {
		_, err := unix.Getdents(fd, make([]byte, 1000))
		return err
	})
	add(means{damage: "canary listed", name: "getdents64", rel: "x", plants: toDir, want: "X02", opens: true, do: lists})
	add(means{damage: "consumed", name: "getdents64", rel: "x", plants: []attack.Move{attack.Dir}, want: "X03", opens: true, do: lists})
	add(means{damage: "consumed", name: "execve", rel: "x", plants: toOwn, want: "X03", do: func(_ *attack.Scene, p place) error {
		if fi, err := os.Stat(p.alone); err != nil || !fi.Mode().IsRegular() {
			return err
		}
		return (&exec.Cmd{Path: p.alone, Args: []string{"x"}}).Run()
	}, reasons: map[string]string{"descriptor": notInherited, "proc thread": notInherited, "in root": notInherited}})

	// Written where others read it.
	for _, w := range writers {
		add(means{damage: "exposed", name: w.name + ", to the attacker's file", rel: "x", plants: []attack.Move{attack.File, attack.Symlink}, want: "X10", opens: true, do: opens(w.flags, w.write)})
		wiped := opens(w.flags, func(fd int) error {
			err := w.write(fd)
			if w.flags == unix.O_PATH {
				return errors.Join(err, os.Truncate(fmt.Sprintf("/proc/self/fd/%d", fd), 0))
			}
			return errors.Join(err, unix.Ftruncate(fd, 0))
		})
		m := means{damage: "exposed", name: w.name + ", to the attacker's file, and cut", rel: "x", plants: toOwn, want: "X10", do: wiped}
		if w.name == "mmap" {
			m.reasons = map[string]string{"": "stores to mapped memory are no calls: what of them is not there in the end is out of the bound"}
		}
		add(m)
	}
	for _, x := range exposers {
		add(means{damage: "exposed", name: x.name, rel: "own", plants: toOwn, want: "X04", do: x.expose, reasons: x.reasons})
	}
	fifo := []attack.Move{attack.FIFO}
	add(means{damage: "exposed", name: "write, to a FIFO", rel: "x", plants: fifo, want: "X10", do: intoPlaceFIFO(0)})
	add(means{damage: "exposed", name: "write, to a FIFO, without waiting", rel: "x", plants: fifo, want: "X10", do: intoPlaceFIFO(unix.O_NONBLOCK)})
	for _, c := range socketMeans {
		add(means{damage: "exposed", name: c.name, rel: "x", plants: []attack.Move{attack.Socket}, want: "X10", do: throughSocket(c.kind, c.send)})
	}

	// The target lost.
	for _, c := range makers {
		if strings.HasPrefix(c.name, "renameat2") {
			continue // which replaces what is there
		}
		add(means{damage: "target lost", name: c.name + ", and what is there", rel: "out", plants: []attack.Move{attack.File, attack.Dir, attack.Hardlink}, want: "X05", do: func(s *attack.Scene, p place) error {
			if err := c.make(s, p); !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EADDRINUSE) {
				return err
			}
			return nil
		}})
	}

	// It does not come back.
	add(means{damage: "hang", name: "open of a FIFO, to read", rel: "x", plants: fifo, want: "X07", opens: true, do: opens(unix.O_RDONLY, func(int) error { return nil })})
	add(means{damage: "hang", name: "open of a FIFO, to write", rel: "x", plants: fifo, want: "X07", opens: true, do: opens(unix.O_WRONLY, func(int) error { return nil })})
	for _, c := range []struct {
		name string
		lock func(fd int) error
	}{
		{"flock", func(fd int) error { return unix.Flock(fd, unix.LOCK_EX) }},
		{"fcntl, F_SETLKW", func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_SETLKW, wholeFile) }},
		{"fcntl, F_OFD_SETLKW", func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, wholeFile) }},
	} {
		add(means{damage: "hang", name: c.name, rel: "x", plants: toOwn, want: "X07", opens: true, do: opens(unix.O_RDWR, c.lock)})
	}
	return all
}

// exposers give others access to a file of the code's own.
var exposers = []struct {
	name    string
	expose  func(s *attack.Scene, p place) error
	reasons map[string]string
}{
	{"open, with a mode", func(s *attack.Scene, p place) error { return exposedFile(s, p, 0o644, nil) }, nil},
	{"fchmod", func(s *attack.Scene, p place) error {
		return exposedFile(s, p, 0o600, func(fd int, _ place) error { return unix.Fchmod(fd, 0o644) })
	}, nil},
	{"fchmodat", func(s *attack.Scene, p place) error {
		return exposedFile(s, p, 0o600, func(_ int, p place) error { return unix.Fchmodat(p.dir, p.name, 0o644, 0) })
	}, nil},
	{"fchmodat2", func(s *attack.Scene, p place) error {
		return exposedFile(s, p, 0o600, func(_ int, p place) error {
			return call(unix.SYS_FCHMODAT2, uintptr(p.dir), cpath(p.name), 0o644, unix.AT_SYMLINK_NOFOLLOW)
		})
	}, nil},
	{"chmod by /proc/self/fd", func(s *attack.Scene, p place) error {
		return exposedFile(s, p, 0o600, func(fd int, _ place) error { return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o644) })
	}, nil},
	{"setxattr, an ACL for all", func(s *attack.Scene, p place) error {
		return exposedFile(s, p, 0o600, func(fd int, _ place) error {
			all := slices.Clone(acl)
			all[len(all)-6] = 4 // others
			return unix.Fsetxattr(fd, "system.posix_acl_access", all, 0)
		})
	}, nil},
	{"mknodat", func(_ *attack.Scene, p place) error {
		name := randomPlace(p)
		if err := unix.Mknodat(name.dir, name.name, unix.S_IFREG|0o644, 0); err != nil {
			return err
		}
		return writeTo(name)
	}, nil},
	{"linkat, of a file from Home", func(s *attack.Scene, p place) error {
		old, err := home(s, "old", "secret", 0o644)
		name := randomPlace(p)
		return errors.Join(err, unix.Linkat(unix.AT_FDCWD, old, name.dir, name.name, 0))
	}, nil},
	{"renameat2, of a file from Home", func(s *attack.Scene, p place) error {
		old, err := home(s, "old", "secret", 0o644)
		name := randomPlace(p)
		return errors.Join(err, unix.Renameat2(unix.AT_FDCWD, old, name.dir, name.name, 0))
	}, nil},
	{"O_TMPFILE and linkat", func(s *attack.Scene, p place) error {
		fd, err := unix.Open(s.Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, secret)
		name := randomPlace(p)
		return errors.Join(err, unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), name.dir, name.name, unix.AT_SYMLINK_FOLLOW))
	}, nil},
}

// randomPlace is the place with another end, which nobody foretells.
func randomPlace(p place) place {
	end := fmt.Sprint("r", random())
	p.name, p.alone = strings.TrimSuffix(p.name, "own")+end, strings.TrimSuffix(p.alone, "own")+end
	if p.root != "" {
		p.root = strings.TrimSuffix(p.root, "own") + end
	}
	return p
}

// exposedFile makes a file, lets expose give others access, and writes to it.
func exposedFile(_ *attack.Scene, p place, mode uint32, expose func(fd int, p place) error) error {
	p = randomPlace(p)
	fd, err := p.open(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if expose != nil {
		err = expose(fd, p)
	}
	_, err2 := unix.Write(fd, secret)
	return errors.Join(err, err2)
}

func writeTo(p place) error {
	fd, err := p.open(unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, secret)
	return err
}

// intoPlaceFIFO writes to what is there when it is a FIFO.
func intoPlaceFIFO(flags int) func(s *attack.Scene, p place) error {
	return func(_ *attack.Scene, p place) error {
		var st unix.Stat_t
		if err := unix.Fstatat(p.dir, p.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return err
		}
		fd, err := p.open(unix.O_WRONLY|flags, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.Write(fd, secret)
		return err
	}
}

var socketMeans = []struct {
	name string
	kind int
	send func(fd int, to unix.Sockaddr) error
}{
	{"connect and write", unix.SOCK_STREAM, func(fd int, to unix.Sockaddr) error {
		err := unix.Connect(fd, to)
		if err == nil {
			_, err = unix.Write(fd, secret)
		}
		return err
	}},
	{"connect and write, a packet", unix.SOCK_SEQPACKET, func(fd int, to unix.Sockaddr) error {
		err := unix.Connect(fd, to)
		if err == nil {
			_, err = unix.Write(fd, secret)
		}
		return err
	}},
	{"connect and write, a datagram", unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error {
		err := unix.Connect(fd, to)
		if err == nil {
			_, err = unix.Write(fd, secret)
		}
		return err
	}},
	{"sendto", unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, secret, 0, to) }},
	{"sendmsg", unix.SOCK_DGRAM, func(fd int, to unix.Sockaddr) error { return unix.Sendmsg(fd, secret, nil, to, 0) }},
}

func throughSocket(kind int, send func(fd int, to unix.Sockaddr) error) func(s *attack.Scene, p place) error {
	return func(_ *attack.Scene, p place) error {
		if len(p.alone) > 107 {
			return unix.ENOSYS
		}
		fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
		if err = send(fd, &unix.SockaddrUnix{Name: p.alone}); errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		return err
	}
}
