package attack_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// The same file of Dir by every form that a path can have, created in a way
// that takes what is there, and exclusively: the first is broken and the second
// is safe, whatever the form.

// opener opens "out" in the scene's directory by a form of its own.
type opener func(dir, home string, flags int) (int, error)

func openAs(path string, flags int) (int, error) {
	return unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
}

// below opens a name relative to a descriptor of a directory.
func below(base func(dir string) string, name func(dir string) string, resolve uint64) opener {
	return func(dir, home string, flags int) (int, error) {
		fd, err := unix.Open(base(dir), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		defer unix.Close(fd)
		if resolve == 0 {
			return unix.Openat(fd, name(dir), flags|unix.O_CLOEXEC, 0o600)
		}
		return unix.Openat2(fd, name(dir), &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: 0o600, Resolve: resolve})
	}
}

// from opens a name relative to a working directory.
func from(wd, name func(dir string) string) opener {
	return func(dir, home string, flags int) (int, error) {
		if err := os.Chdir(wd(dir)); err != nil {
			return -1, err
		}
		return openAs(name(dir), flags)
	}
}

func named(s string) func(string) string { return func(string) string { return s } }
func whole(dir string) string            { return dir }
func relative(dir string) string         { return dir[1:] + "/out" }
func absolute(dir string) string         { return dir + "/out" }
func prefixed(p string) func(dir string) string {
	return func(dir string) string { return p + dir + "/out" }
}

// pathForm is one way to name a file.
type pathForm struct {
	name   string
	open   opener
	mounts bool   // needs a root and a mount table of its own
	want   string // what is found, "" for everything
}

const everything = "X01 X05 X07 X10"

var pathForms = []pathForm{
	{name: "the path", open: func(dir, _ string, flags int) (int, error) { return openAs(absolute(dir), flags) }},
	{name: "in the root of a descriptor of Dir", open: below(whole, named("/out"), unix.RESOLVE_IN_ROOT)},
	{name: "in the root of Dir, up and up", open: below(whole, named("/../.././out"), unix.RESOLVE_IN_ROOT)},
	{name: "beneath a descriptor of Dir", open: below(whole, named("out"), unix.RESOLVE_BENEATH)},
	{name: "without crossing mounts", open: below(named("/"), relative, unix.RESOLVE_NO_XDEV)},
	{name: "without magic links", open: below(named("/"), relative, unix.RESOLVE_NO_MAGICLINKS)},
	{name: "beneath the descriptor /", open: below(named("/"), relative, unix.RESOLVE_BENEATH)},
	{name: "below the descriptor /", open: below(named("/"), relative, 0)},
	{name: "below the working directory /", open: from(named("/"), relative)},
	{name: "out of the working directory /usr", open: from(named("/usr"), prefixed(".."))},
	{name: "/proc/self/root", open: func(dir, _ string, flags int) (int, error) { return openAs(prefixed("/proc/self/root")(dir), flags) }},
	{name: "/proc/thread-self/root", open: func(dir, _ string, flags int) (int, error) {
		return openAs(prefixed("/proc/thread-self/root")(dir), flags)
	}},
	{name: "/proc/self/cwd", open: from(whole, named("/proc/self/cwd/out"))},
	{name: "/proc of the parent", open: func(dir, _ string, flags int) (int, error) {
		return openAs(prefixed("/proc/"+strconv.Itoa(os.Getppid())+"/root")(dir), flags)
	}},
	{name: "/dev/fd", open: func(dir, _ string, flags int) (int, error) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		defer unix.Close(fd)
		return openAs(fmt.Sprintf("/dev/fd/%d/out", fd), flags)
	}},
	{name: "/proc/self/fd of /", open: func(dir, _ string, flags int) (int, error) {
		fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		defer unix.Close(fd)
		return openAs(fmt.Sprintf("/proc/self/fd/%d%s/out", fd, dir), flags)
	}},
	{name: "a link in Home", open: func(dir, home string, flags int) (int, error) {
		if err := os.Symlink("/proc/self/root"+dir, home+"/link"); err != nil {
			return -1, err
		}
		return openAs(home+"/link/out", flags)
	}},
	{name: "a bind mount of Dir", mounts: true, open: func(dir, home string, flags int) (int, error) {
		at := home + "/mnt"
		if err := errors.Join(os.Mkdir(at, 0o700), unix.Mount(dir, at, "", unix.MS_BIND, "")); err != nil {
			return -1, err
		}
		return openAs(at+"/out", flags)
	}},
	{name: "a tree that was opened and mounted", mounts: true, open: func(dir, home string, flags int) (int, error) {
		tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return -1, err
		}
		defer unix.Close(tree)
		at := home + "/mnt"
		if err := errors.Join(os.Mkdir(at, 0o700), unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH)); err != nil {
			return -1, err
		}
		return openAs(at+"/out", flags)
	}},
	{name: "a tree that was opened", mounts: true, open: func(dir, _ string, flags int) (int, error) {
		tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return -1, err
		}
		defer unix.Close(tree)
		return unix.Openat(tree, "out", flags|unix.O_CLOEXEC, 0o600)
	}},
	{name: "after chroot", mounts: true, open: func(dir, _ string, flags int) (int, error) {
		if err := errors.Join(unix.Chroot(dir), unix.Chdir("/")); err != nil {
			return -1, err
		}
		return openAs("/../out", flags)
	}},
	{name: "after chroot, the working directory left outside", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := errors.Join(unix.Chdir("/"), unix.Chroot(home)); err != nil {
			return -1, err
		}
		return openAs(relative(dir), flags)
	}},
	{name: "after chroot to above the scene", mounts: true, open: func(dir, _ string, flags int) (int, error) {
		if err := unix.Chroot(filepath.Dir(dir)); err != nil {
			return -1, err
		}
		return openAs("/"+filepath.Base(dir)+"/out", flags)
	}},
	{name: "after pivot_root", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := errors.Join(unix.Mount(dir, dir, "", unix.MS_BIND, ""), unix.Chdir(dir), unix.PivotRoot(".", "."), unix.Unmount(".", unix.MNT_DETACH), unix.Chdir("/")); err != nil {
			return -1, err
		}
		return openAs("/out", flags)
	}},
	{name: "a mount over Home", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := unix.Mount("none", home, "tmpfs", 0, "size=64k"); err != nil {
			return -1, err
		}
		return openAs(absolute(dir), flags)
	}},
}

// unseen are files that have the path of one of Dir's, and are none.
var unseen = []pathForm{
	{name: "a file system over Dir", mounts: true, open: func(dir, _ string, flags int) (int, error) {
		if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k,mode=1777"); err != nil {
			return -1, err
		}
		return openAs(absolute(dir), flags)
	}},
	{name: "Home over Dir", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := errors.Join(os.Mkdir(home+"/tmp", 0o700), unix.Mount(home+"/tmp", dir, "", unix.MS_BIND, "")); err != nil {
			return -1, err
		}
		return openAs(absolute(dir), flags)
	}},
	{name: "a file system over what is above Dir", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := errors.Join(os.Mkdir(home+"/tmp", 0o700), unix.Mount("none", filepath.Dir(dir), "tmpfs", 0, "size=64k"), os.Mkdir(dir, 0o777)); err != nil {
			return -1, err
		}
		return openAs(absolute(dir), flags)
	}},
	{name: "the path in a root of its own", mounts: true, open: func(dir, home string, flags int) (int, error) {
		if err := errors.Join(os.MkdirAll(home+dir, 0o700), unix.Chroot(home)); err != nil {
			return -1, err
		}
		return openAs(absolute(dir), flags)
	}},
}

// fill writes a setting to the file that a form opens.
func fill(open opener, dir, home string, flags int) error {
	fd, err := open(dir, home, flags)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "out")
	_, err = f.WriteString("defaults")
	return errors.Join(err, f.Close())
}

// envPathForm has this binary run a form: its name, the flags, and the
// scene's two directories.
const envPathForm = "TMPPROOF_TEST_PATH_FORM"

// victim is the victim of a form. Where mounts of its own need a user namespace
// it is a program.
func (f pathForm) victim(flags int) attack.Victim {
	return func(s *attack.Scene) error {
		if !f.mounts {
			return fill(f.open, s.Dir, s.Home, flags)
		}
		if os.Geteuid() == 0 {
			return inPrivateThread(func() error { return fill(f.open, s.Dir, s.Home, flags) })
		}
		return inUserNamespace(strings.Join([]string{f.name, strconv.Itoa(flags), s.Dir, s.Home}, "\x01"))
	}
}

func inUserNamespace(form string) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envPathForm+"="+form)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func init() { programs = append(programs, runPathForm) }

// runPathForm is the program of a form.
func runPathForm() {
	args := strings.Split(os.Getenv(envPathForm), "\x01")
	if len(args) != 4 {
		return
	}
	flags, _ := strconv.Atoi(args[1])
	for _, f := range append(pathForms, unseen...) {
		if f.name == args[0] {
			if err := fill(f.open, args[2], args[3], flags); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(0)
}

// noMounts says why no thread or program here can have mounts of its own.
func noMounts() string {
	if os.Geteuid() == 0 {
		for _, why := range missing() {
			return why
		}
		return ""
	}
	if err := inUserNamespace("none\x010\x01\x01"); err != nil {
		return "no user namespace can be made here: " + err.Error()
	}
	return ""
}

func (f pathForm) check(t *testing.T, broken string, opts ...attack.Option) {
	t.Parallel()
	if f.mounts {
		if why := noMounts(); why != "" {
			t.Skip(why)
		}
	}
	for _, tt := range []struct {
		name  string
		flags int
		want  string
	}{
		{"broken", unix.O_CREAT | unix.O_WRONLY, broken},
		{"safe", unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attack.Prove(t, f.victim(tt.flags), append(opts, attack.ReportOnly())...)
			assert.Equal(t, tt.want, rulesOf(r), texts(r))
			assert.True(t, r.Complete)
			show(t, r)
		})
	}
}

// TestPathForms: whatever the form of its path, it is the same file.
func TestPathForms(t *testing.T) {
	for _, f := range attack.ShortSample(pathForms) {
		t.Run(f.name, func(t *testing.T) {
			want := f.want
			if want == "" {
				want = everything
			}
			f.check(t, want, attack.Target("out"))
		})
	}
}

// TestUnseen: what a victim sees in the place of Dir in a mount table of its own
// is out of the attacker's reach.
func TestUnseen(t *testing.T) {
	for _, f := range unseen {
		t.Run(f.name, func(t *testing.T) { f.check(t, "") })
	}
}
