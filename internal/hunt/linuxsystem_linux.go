package hunt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// LinuxSystem is the kernel's disk as a victim sees it.
func LinuxSystem(dir string) System {
	return &linuxSystem{dir: dir, mine: func(st *unix.Stat_t) bool { return int(st.Uid) == os.Geteuid() }}
}

// linuxSystem does what a victim does by system calls, and by package os where
// a verb means that. With before set, package os's helpers that make several
// calls are written out, so that something can happen between them.
type linuxSystem struct {
	dir    string
	cwd    string // the directory that Chdir asked for last, relative to dir
	inside bool   // the working directory has been dir, or below it
	mine   func(*unix.Stat_t) bool
	before func(Call)
	after  func(ID)
}

func (s *linuxSystem) call(name string, paths ...string) {
	if s.before == nil {
		return
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(shared+"/"+p, "/")
	}
	s.before(Call{Name: name, Paths: paths})
}

func (s *linuxSystem) abs(name string) string { return strings.TrimSuffix(s.dir+"/"+name, "/") }

// place is where a path begins, and what it is from there.
type place struct {
	fd    int
	path  string
	close func()
}

var nothing = func() {}

// at prepares a path: by descriptor, the directory is opened first.
func (s *linuxSystem) at(form Form, name string) (place, error) {
	switch form {
	case Absolute, InRoot:
		return place{unix.AT_FDCWD, s.abs(name), nothing}, nil
	case Relative:
		err := s.enter()
		return place{unix.AT_FDCWD, s.relative(name), nothing}, err
	}
	dir, last := parent(name), base(name)
	if last == "" {
		last = "."
	}
	var fd int
	var err error
	switch form {
	case Openat2, Beneath:
		fd, err = s.openIn(form, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	default:
		s.call("open", dir)
		fd, err = open(unix.AT_FDCWD, s.abs(dir), unix.O_PATH|unix.O_DIRECTORY, 0)
	}
	if err != nil {
		return place{close: nothing}, err
	}
	p := place{fd, last, func() { unix.Close(fd) }}
	if form == ByProc {
		p.fd, p.path = unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/%s", fd, last)
	}
	return p, nil
}

// openIn opens by openat2, which keeps the path below the shared directory.
func (s *linuxSystem) openIn(form Form, name string, flags int, perm uint32) (int, error) {
	root, err := open(unix.AT_FDCWD, s.dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(perm), Resolve: unix.RESOLVE_BENEATH}
	if name == "" {
		name = "."
	}
	if form == Openat2 {
		how.Resolve = unix.RESOLVE_IN_ROOT
		name = "/" + name
	}
	s.call("open", strings.TrimPrefix(strings.TrimPrefix(name, "/"), "."))
	for {
		fd, err := unix.Openat2(root, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

func open(fd int, name string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Openat(fd, name, flags|unix.O_CLOEXEC, perm)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// enter makes the shared directory the working one, before the first relative
// name.
func (s *linuxSystem) enter() error {
	if s.inside {
		return nil
	}
	s.inside = true
	return unix.Chdir(s.dir)
}

func (s *linuxSystem) relative(name string) string {
	if s.cwd != "" {
		if rest, ok := strings.CutPrefix(name, s.cwd+"/"); ok {
			return rest
		}
		return s.abs(name)
	}
	if name == "" {
		return "."
	}
	return name
}

// on makes one call on one name.
func (s *linuxSystem) on(call string, form Form, name string, do func(p place) error) error {
	p, err := s.at(form, name)
	if err != nil {
		return err
	}
	defer p.close()
	s.call(call, name)
	return do(p)
}

func (s *linuxSystem) both(call string, form Form, a, b string, do func(a, b place) error) error {
	p, err := s.at(form, a)
	if err != nil {
		return err
	}
	defer p.close()
	q, err := s.at(form, b)
	if err != nil {
		return err
	}
	defer q.close()
	s.call(call, a, b)
	return do(p, q)
}

// root is os.Root's way, which is several calls; they are not told apart.
func (s *linuxSystem) root(call string, names []string, do func(r *os.Root) error) error {
	r, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer r.Close()
	s.call(call, names...)
	return do(r)
}

func (s *linuxSystem) info(st *unix.Stat_t) Info {
	return Info{Type: typeOf(st.Mode), Links: uint64(st.Nlink), Mine: s.mine(st)}
}

func typeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFREG:
		return 0
	}
	return fs.ModeIrregular
}

func (s *linuxSystem) Stat(form Form, name string, follow bool) (Info, error) {
	var st unix.Stat_t
	flags := unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags = 0
	}
	err := s.on("stat", form, name, func(p place) error { return unix.Fstatat(p.fd, p.path, &st, flags) })
	return s.info(&st), err
}

func (s *linuxSystem) Open(form Form, name string, how Flags, perm uint32) (File, error) {
	flags := unix.O_RDONLY
	for _, f := range []struct {
		is   bool
		flag int
	}{{how.Write, unix.O_WRONLY}, {how.Create, unix.O_CREAT}, {how.Excl, unix.O_EXCL}, {how.Trunc, unix.O_TRUNC}, {how.Append, unix.O_APPEND}, {how.NoFollow, unix.O_NOFOLLOW}} {
		if f.is {
			flags |= f.flag
		}
	}
	var file *os.File
	var err error
	switch form {
	case InRoot:
		err = s.root("open", []string{name}, func(r *os.Root) (err error) {
			file, err = r.OpenFile(dotted(name), flags, fs.FileMode(perm))
			return err
		})
	case Openat2, Beneath:
		var fd int
		if fd, err = s.openIn(form, name, flags, perm); err == nil {
			file = os.NewFile(uintptr(fd), name)
		}
	default:
		err = s.on("open", form, name, func(p place) error {
			fd, err := open(p.fd, p.path, flags, perm)
			if err == nil {
				file = os.NewFile(uintptr(fd), name)
			}
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return &linuxFile{s, file}, nil
}

func dotted(name string) string {
	if name == "" {
		return "."
	}
	return name
}

func (s *linuxSystem) Mkdir(form Form, name string, perm uint32) error {
	if form == InRoot {
		return s.root("mkdir", []string{name}, func(r *os.Root) error { return r.Mkdir(dotted(name), fs.FileMode(perm)) })
	}
	return s.on("mkdir", form, name, func(p place) error { return unix.Mkdirat(p.fd, p.path, perm) })
}

func (s *linuxSystem) Unlink(form Form, name string) error {
	if form == InRoot {
		return s.Remove(form, name)
	}
	return s.on("unlink", form, name, func(p place) error { return unix.Unlinkat(p.fd, p.path, 0) })
}

func (s *linuxSystem) Rmdir(form Form, name string) error {
	if form == InRoot {
		return s.Remove(form, name)
	}
	return s.on("rmdir", form, name, func(p place) error { return unix.Unlinkat(p.fd, p.path, unix.AT_REMOVEDIR) })
}

func (s *linuxSystem) Move(form Form, a, b string, exchange bool) error {
	if form == InRoot {
		return s.Rename(form, a, b)
	}
	var flags uint
	if exchange {
		flags = unix.RENAME_EXCHANGE
	}
	return s.both("rename", form, a, b, func(a, b place) error { return unix.Renameat2(a.fd, a.path, b.fd, b.path, flags) })
}

func (s *linuxSystem) Link(form Form, a, b string) error {
	if form == InRoot {
		return s.root("link", []string{a, b}, func(r *os.Root) error { return r.Link(dotted(a), dotted(b)) })
	}
	return s.both("link", form, a, b, func(a, b place) error { return unix.Linkat(a.fd, a.path, b.fd, b.path, 0) })
}

func (s *linuxSystem) Symlink(form Form, target, name string) error {
	if form == InRoot {
		return s.root("symlink", []string{name}, func(r *os.Root) error { return r.Symlink(target, dotted(name)) })
	}
	return s.on("symlink", form, name, func(p place) error { return unix.Symlinkat(target, p.fd, p.path) })
}

func (s *linuxSystem) Readlink(form Form, name string) (string, error) {
	buf := make([]byte, 4096)
	n := 0
	err := s.on("readlink", form, name, func(p place) (err error) {
		n, err = unix.Readlinkat(p.fd, p.path, buf)
		return err
	})
	return string(buf[:max(n, 0)]), err
}

func (s *linuxSystem) Chmod(form Form, name string, perm uint32) error {
	if form == InRoot {
		return s.root("chmod", []string{name}, func(r *os.Root) error { return r.Chmod(dotted(name), fs.FileMode(perm)) })
	}
	return s.on("chmod", form, name, func(p place) error { return unix.Fchmodat(p.fd, p.path, perm, 0) })
}

func (s *linuxSystem) Chtimes(form Form, name string) error {
	if form == InRoot {
		return s.root("utimens", []string{name}, func(r *os.Root) error { return r.Chtimes(dotted(name), victimTime, victimTime) })
	}
	ts := []unix.Timespec{{Sec: victimTime.Unix()}, {Sec: victimTime.Unix()}}
	return s.on("utimens", form, name, func(p place) error { return unix.UtimesNanoAt(p.fd, p.path, ts, 0) })
}

// byPath is for calls that have no form with a descriptor.
func (s *linuxSystem) byPath(call string, form Form, name string, do func(path string) error) error {
	if form == ByDir || form == Openat2 || form == Beneath {
		form = ByProc
	}
	return s.on(call, form, name, func(p place) error { return do(p.path) })
}

func (s *linuxSystem) Truncate(form Form, name string) error {
	return s.byPath("truncate", form, name, func(path string) error { return unix.Truncate(path, 3) })
}

func (s *linuxSystem) Setxattr(form Form, name string) error {
	return s.byPath("setxattr", form, name, func(path string) error { return unix.Setxattr(path, "user.hunt", []byte("1"), 0) })
}

func (s *linuxSystem) Chdir(_ Form, name string) error {
	if err := s.enter(); err != nil {
		return err
	}
	s.call("chdir", name)
	defer func() { s.cwd = name }() // code goes on with relative names, come what may
	return unix.Chdir(s.abs(name))
}

func (s *linuxSystem) Exec(form Form, name string) error {
	return s.byPath("execve", form, name, func(path string) error {
		var st unix.Stat_t
		serr := unix.Stat(path, &st)
		if form == Relative && !strings.Contains(path, "/") {
			path = "./" + path
		}
		err := exec.Command(path).Run()
		if err == nil && serr == nil && s.after != nil {
			s.after(idOf(&st))
		}
		return err
	})
}

// linuxFile is an open file of a victim's.
type linuxFile struct {
	s *linuxSystem
	f *os.File
}

func (f *linuxFile) Stat() (Info, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.f.Fd()), &st)
	return f.s.info(&st), err
}

func (f *linuxFile) Write(data string) error { _, err := f.f.WriteString(data); return err }

func (f *linuxFile) Read() (string, error) {
	data, err := io.ReadAll(f.f)
	if len(data) > 0 {
		f.s.has(f.f)
	}
	return string(data), err
}

// has tells that something was read from a file, or that it was listed.
func (s *linuxSystem) has(f *os.File) {
	var st unix.Stat_t
	if s.after != nil && unix.Fstat(int(f.Fd()), &st) == nil {
		s.after(idOf(&st))
	}
}

func (f *linuxFile) Chmod(perm uint32) error { return f.f.Chmod(fs.FileMode(perm)) }
func (f *linuxFile) Close() error            { return f.f.Close() }

func idOf(st *unix.Stat_t) ID { return ID{Dev: st.Dev, Ino: st.Ino} }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
