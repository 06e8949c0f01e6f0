//go:build linux

package attack_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// pinned is the safe twin's stage: a directory of its own in the shared one,
// looked up once. Its descriptor stands for it from then on; names are used
// through it alone, with O_NOFOLLOW or O_EXCL, and the object that the pair
// is about through its descriptor.
type pinned struct {
	pair
	base  int    // Scene.Dir
	entry string // the directory's name there
	dir   int
	obj   int // the object that the check is about, in group 2
	done  int
}

// twin is the same pair, safe.
func (p pair) twin(s *attack.Scene) error {
	v := &pinned{pair: p, base: -1, dir: -1, obj: -1}
	if !p.private() {
		return errors.Join(v.run(s), v.remove())
	}
	err := inPrivateThread(func() error { return v.run(s) })
	return errors.Join(err, v.remove()) // out here, where nothing is mounted on it
}

func (v *pinned) run(s *attack.Scene) error {
	if err := v.pin(s); err != nil {
		return err
	}
	if err := v.prepare(); err != nil {
		return err
	}
	if err := v.call(v.first, v.check); err != nil {
		return fmt.Errorf("check %s: %w", v.check, err)
	}
	if err := v.call(v.second, v.use); err != nil {
		return fmt.Errorf("use %s: %w", v.use, err)
	}
	return nil
}

// pin makes the directory and opens it. Where nothing keeps others from
// replacing it in between, only its owner and mode say that it is the one.
func (v *pinned) pin(s *attack.Scene) (err error) {
	if v.base, err = unix.Open(s.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	v.entry = fmt.Sprintf("pair-%016x", random())
	if err := unix.Mkdirat(v.base, v.entry, 0o700); err != nil {
		return err
	}
	fd, err := unix.Openat(v.base, v.entry, unix.O_RDONLY|nofollow|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (int(st.Uid) != os.Geteuid() || st.Mode&0o7777 != 0o700) {
		err = fmt.Errorf("%s was replaced", v.entry)
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	v.dir = fd
	return nil
}

const nofollow = unix.O_NOFOLLOW | unix.O_CLOEXEC

// prepare does what setup does for the unsafe pair.
func (v *pinned) prepare() error {
	source := "file"
	var err error
	if v.onDirs() {
		source, err = "dir", unix.Mkdirat(v.dir, "dir", 0o700)
	} else {
		err = v.write("file")
	}
	if err == nil {
		err = unix.Symlinkat(source, v.dir, "link")
	}
	if err != nil {
		return err
	}
	switch {
	case v.first == "LinkRemove":
		return unix.Symlinkat(source, v.dir, pairName)
	case v.first == "FileRemove", v.first == "FileNormalUse", v.group == 2 && v.first == "Check" && !v.onDirs():
		err = v.write(pairName)
	case v.first == "DirRemove", v.first == "DirNormalUse", v.group == 2 && v.first == "Check":
		err = unix.Mkdirat(v.dir, pairName, 0o700)
	}
	if err == nil && v.first == v.second { // the check is a normal use: it comes with the descriptor
		err = v.open(pairName)
	}
	return err
}

// write makes a file and leaves no descriptor.
func (v *pinned) write(name string) error {
	fd, err := unix.Openat(v.dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|nofollow, v.perm())
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(body()))
	return errors.Join(err, unix.Close(fd))
}

// open takes hold of the object.
func (v *pinned) open(name string) (err error) {
	flags := unix.O_RDONLY | nofollow
	if v.onDirs() {
		flags |= unix.O_DIRECTORY
	}
	v.obj, err = unix.Openat(v.dir, name, flags, 0)
	return err
}

// call makes one of the pair's calls.
func (v *pinned) call(set, op string) error {
	v.done++
	switch set {
	case "Check":
		return v.look(op)
	case "FileRemove", "LinkRemove", "DirRemove":
		switch op {
		case "unlink":
			return unix.Unlinkat(v.dir, pairName, 0)
		case "rmdir":
			return unix.Unlinkat(v.dir, pairName, unix.AT_REMOVEDIR)
		}
		return unix.Renameat(v.dir, pairName, v.dir, "old")
	case "FileCreation", "LinkCreation", "DirCreation":
		return v.create(set, op)
	}
	return v.normalUse(op)
}

func (v *pinned) look(op string) error {
	var st unix.Stat_t
	if v.group == 2 {
		if err := v.open(pairName); err != nil || op == "stat" {
			return errors.Join(err, unix.Fstat(v.obj, &st))
		}
		return unix.Faccessat(v.obj, "", unix.R_OK, unix.AT_EMPTY_PATH)
	}
	err := unix.Fstatat(v.dir, pairName, &st, unix.AT_SYMLINK_NOFOLLOW)
	if op == "access" {
		err = unix.Faccessat(v.dir, pairName, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = unix.EEXIST
	}
	if err == unix.ENOENT {
		err = nil
	}
	return err
}

func (v *pinned) create(set, op string) error {
	object := "file"
	if v.onDirs() {
		object = "dir"
	}
	switch op {
	case "creat", "open":
		return errors.Join(v.write(pairName), v.hold(pairName))
	case "mknod":
		return errors.Join(unix.Mknodat(v.dir, pairName, unix.S_IFREG|v.perm(), 0), v.hold(pairName))
	case "mkdir":
		return errors.Join(unix.Mkdirat(v.dir, pairName, 0o700), v.hold(pairName))
	}
	if err := v.hold(object); err != nil {
		return err
	}
	switch {
	case op == "symlink":
		return unix.Symlinkat(object, v.dir, pairName)
	case op == "link" && v.onDirs(), op == "rename" && set == "LinkCreation":
		object = "link"
	}
	if op == "link" {
		return unix.Linkat(v.dir, object, v.dir, pairName, 0)
	}
	return unix.Renameat(v.dir, object, v.dir, pairName)
}

// hold opens what a use is going to be about.
func (v *pinned) hold(name string) error {
	if v.group == 1 {
		return nil
	}
	return v.open(name)
}

func (v *pinned) normalUse(op string) error {
	switch op {
	case "chmod":
		return unix.Fchmod(v.obj, 0o700)
	case "chown":
		return unix.Fchown(v.obj, os.Getuid(), os.Getgid())
	case "utime":
		return unix.UtimesNanoAt(v.obj, "", pairTimes, unix.AT_EMPTY_PATH)
	case "truncate":
		return v.reopened(func(fd int) error { return unix.Ftruncate(fd, kept()) })
	case "open":
		return v.reopened(func(fd int) error { _, err := unix.Write(fd, []byte(body())); return err })
	case "execve":
		return (&stage{pair: v.pair}).execute("/proc/self/fd/3", uintptr(v.obj))
	case "mount":
		fd, err := v.attach()
		if err != nil {
			return err
		}
		return unix.Close(fd)
	case "chdir":
		if err := unix.Fchdir(v.obj); err != nil {
			return err
		}
		return v.work("")
	}
	return v.enter(op)
}

// reopened opens the object for writing, through its descriptor.
func (v *pinned) reopened(f func(fd int) error) error {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", v.obj), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(f(fd), unix.Close(fd))
}

// attach mounts the directory on itself, without a name, and gives the mount.
func (v *pinned) attach() (int, error) {
	fd, err := unix.OpenTree(v.obj, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	if err := unix.MoveMount(fd, "", v.obj, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return -1, errors.Join(fmt.Errorf("move_mount: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// enter makes the directory the root.
func (v *pinned) enter(op string) error {
	at := v.obj
	if op == "pivot_root" || v.use == "pivot_root" {
		fd, err := v.attach()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		at = fd
	}
	err := unix.Fchdir(at)
	switch {
	case err != nil:
	case op == "chroot":
		err = unix.Chroot(".")
	default:
		err = unix.PivotRoot(".", ".")
	}
	if err != nil {
		return err
	}
	return v.work("/")
}

func (v *pinned) work(prefix string) error { return (&stage{done: v.done}).work(cwd, prefix) }

// remove takes everything away again, through the descriptors. Of the entry
// in the shared directory others may have made something else: then there is
// nothing of ours at that name.
func (v *pinned) remove() error {
	var errs []error
	unlink := func(dir int, name string) {
		err := unix.Unlinkat(dir, name, 0)
		if err == unix.EISDIR {
			err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		}
		if err != nil && err != unix.ENOENT {
			errs = append(errs, fmt.Errorf("removing %s: %w", name, err))
		}
	}
	if v.obj >= 0 {
		if v.onDirs() {
			unlink(v.obj, "work1")
			unlink(v.obj, "work2")
		}
		errs = append(errs, unix.Close(v.obj))
	}
	if v.dir >= 0 {
		for _, name := range []string{pairName, "old", "link", "file", "dir"} {
			unlink(v.dir, name)
		}
		unlink(v.base, v.entry)
		errs = append(errs, unix.Close(v.dir))
	}
	if v.base >= 0 {
		errs = append(errs, unix.Close(v.base))
	}
	return errors.Join(errs...)
}
