//go:build linux

package attack_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// pairName is the name below Scene.Dir that a pair is about. Anybody can
// foretell it.
const pairName = "name"

// stage is what the calls of one pair work on.
type stage struct {
	pair
	home string // the private directory, with the sources that Setup made
	name string // the pair's name: absolute, or relative to Scene.Dir in a private thread
	done int    // calls of the pair so far
	made bool   // the check made the name
}

// body is what the pairs' files contain: a program, so that each can be run.
var body = sync.OnceValue(func() string {
	program, err := exec.LookPath("true")
	if err != nil {
		program = "/bin/true"
	}
	return fmt.Sprintf("#!%-100s\n# made by the pair\n", program) // of one length wherever the program is
})

// kept is how much of the body truncate leaves: the interpreter's line.
func kept() int64 { return int64(strings.Index(body(), "\n") + 1) }

// perm is the mode of the pairs' files: their owner's alone.
func (p pair) perm() uint32 {
	if p.has("execve") {
		return 0o700
	}
	return 0o600
}

// setup makes what the pair finds: sources in the private directory, and the
// name where the check is to find it.
func (p pair) setup(s *attack.Scene) error {
	home := func(n string) string { return filepath.Join(s.Home, n) }
	var err error
	switch {
	case p.onDirs():
		err = errors.Join(os.Mkdir(home("dir"), 0o700), os.Symlink(home("dir"), home("link")))
	default:
		err = errors.Join(p.write(home("file")), os.Symlink(home("file"), home("link")))
	}
	if err != nil || p.first == "FileCreation" || p.first == "DirCreation" || p.first == "LinkCreation" || p.group == 1 && p.first == "Check" {
		return err
	}
	switch {
	case p.first == "LinkRemove":
		return os.Symlink(home("file"), s.Path(pairName))
	case p.onDirs():
		return os.Mkdir(s.Path(pairName), 0o700)
	}
	return p.write(s.Path(pairName))
}

func (p pair) write(name string) error {
	return errors.Join(os.WriteFile(name, []byte(body()), 0o600), os.Chmod(name, os.FileMode(p.perm())))
}

// victim is the pair as a program would have it: two calls on one name.
func (p pair) victim(s *attack.Scene) error {
	if !p.private() {
		return (&stage{pair: p, home: s.Home, name: s.Path(pairName)}).run()
	}
	return inPrivateThread(func() error {
		if err := unix.Chdir(s.Dir); err != nil {
			return err
		}
		name := pairName // relative: it means the same when the root is another
		if p.check == "chdir" {
			name = s.Path(pairName)
		}
		return (&stage{pair: p, home: s.Home, name: name}).run()
	})
}

func (v *stage) run() error {
	if err := v.call(v.first, v.check); err != nil {
		return fmt.Errorf("check %s: %w", v.check, err)
	}
	if err := v.rely(); err != nil {
		return errors.Join(fmt.Errorf("use %s: %w", v.use, err), v.cleanUp())
	}
	return nil
}

// rely is the use. The line tells, in the call chain of a finding, that the
// damage came with it.
func (v *stage) rely() error { return v.call(v.second, v.use) }

var useLine = sync.OnceValue(func() string {
	file, line := runtime.FuncForPC(reflect.ValueOf((*stage).rely).Pointer()).FileLine(reflect.ValueOf((*stage).rely).Pointer())
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
})

// cleanUp removes what the check made.
func (v *stage) cleanUp() error {
	if !v.made {
		return nil
	}
	flags := 0
	if v.first == "DirCreation" {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(unix.AT_FDCWD, v.name, flags); err != unix.ENOENT {
		return err
	}
	return nil
}

const cwd = unix.AT_FDCWD

// call makes one of the pair's calls.
func (v *stage) call(set, op string) error {
	v.done++
	switch set {
	case "Check":
		return v.look(op)
	case "FileRemove", "LinkRemove", "DirRemove":
		return v.remove(op)
	case "FileCreation", "LinkCreation", "DirCreation":
		err := v.create(set, op)
		v.made = err == nil && v.done == 1
		return err
	}
	return v.normalUse(op)
}

// look establishes that the name is absent, or of the expected kind.
func (v *stage) look(op string) error {
	var st unix.Stat_t
	var err error
	switch op {
	case "stat":
		err = unix.Fstatat(cwd, v.name, &st, 0)
	case "access":
		err = unix.Faccessat(cwd, v.name, unix.F_OK, 0)
	}
	switch {
	case v.group == 2:
		return err
	case err == nil:
		return unix.EEXIST
	case err == unix.ENOENT:
		return nil
	}
	return err
}

func (v *stage) remove(op string) error {
	switch op {
	case "unlink":
		return unix.Unlinkat(cwd, v.name, 0)
	case "rmdir":
		return unix.Unlinkat(cwd, v.name, unix.AT_REMOVEDIR)
	}
	return unix.Renameat(cwd, v.name, cwd, v.home+"/old")
}

func (v *stage) create(set, op string) error {
	object := v.home + "/file"
	if v.onDirs() {
		object = v.home + "/dir"
	}
	link := v.home + "/link" // a symbolic link to the object
	switch op {
	case "creat":
		return v.put(unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC)
	case "open":
		return v.put(unix.O_CREAT | unix.O_RDWR)
	case "mknod":
		return unix.Mknodat(cwd, v.name, unix.S_IFREG|v.perm(), 0)
	case "mkdir":
		return unix.Mkdirat(cwd, v.name, 0o700)
	case "symlink":
		return unix.Symlinkat(object, cwd, v.name)
	case "link":
		if v.onDirs() { // a directory has one name; the link to it may have two
			object = link
		}
		return unix.Linkat(cwd, object, cwd, v.name, 0)
	}
	if set == "LinkCreation" {
		object = link
	}
	return unix.Renameat(cwd, object, cwd, v.name)
}

// put opens the name and writes the body.
func (v *stage) put(flags int) error {
	fd, err := unix.Open(v.name, flags|unix.O_CLOEXEC, v.perm())
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(body()))
	return errors.Join(err, unix.Close(fd))
}

func (v *stage) normalUse(op string) error {
	switch op {
	case "chmod":
		return unix.Fchmodat(cwd, v.name, 0o700, 0)
	case "chown":
		return unix.Fchownat(cwd, v.name, os.Getuid(), os.Getgid(), 0)
	case "truncate":
		return unix.Truncate(v.name, kept())
	case "utime":
		return unix.UtimesNanoAt(cwd, v.name, pairTimes, 0)
	case "open":
		return v.put(unix.O_RDWR)
	case "execve":
		return v.execute(v.name)
	case "mount":
		return unix.Mount("tmpfs", v.name, "tmpfs", 0, "mode=0700,size=64k")
	case "chdir":
		if err := unix.Chdir(v.name); err != nil {
			return err
		}
		return v.work(cwd, "")
	case "chroot":
		if v.use == "pivot_root" { // which needs a root that is a mount point
			if err := unix.Mount(v.name, v.name, "", unix.MS_BIND, ""); err != nil {
				return err
			}
		}
		if err := unix.Chroot(v.name); err != nil {
			return err
		}
		return v.work(cwd, "/")
	}
	// The usual way: the new root has to be a mount point.
	if err := unix.Mount(v.name, v.name, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.PivotRoot(v.name, v.name); err != nil {
		return err
	}
	return v.work(cwd, "/")
}

var pairTimes = []unix.Timespec{{Sec: 1_700_000_000}, {Sec: 1_700_000_000}}

// work is why one enters a directory: to do something there.
func (v *stage) work(dir int, prefix string) error {
	fd, err := unix.Openat(dir, fmt.Sprintf("%swork%d", prefix, v.done), unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("work"))
	return errors.Join(err, unix.Close(fd))
}

// execute runs a program and waits for it. An empty program, which mknod
// leaves, is taken as the shells take it: it does nothing.
func (v *stage) execute(path string, files ...uintptr) error {
	pid, err := syscall.ForkExec(path, []string{pairName}, &syscall.ProcAttr{Files: append([]uintptr{0, 1, 2}, files...)})
	if err == unix.ENOEXEC && v.check == "mknod" {
		return nil
	}
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("the program ended with status %#x", status)
	}
	return err
}
