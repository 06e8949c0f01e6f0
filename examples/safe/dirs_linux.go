package safe

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// inside works in a private directory that is removed with all in it.
func inside(dir string, work func(private string) error) (err error) {
	private, err := os.MkdirTemp(dir, "work-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	return work(private)
}

// predictableInside may name its files as it likes.
func predictableInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		name := filepath.Join(p, "input.txt")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
		if _, err := os.Stat(name); err != nil {
			return err
		}
		return os.Rename(name, filepath.Join(p, "output.txt"))
	})
}

// treeInside makes directories, and lets others read in vain.
func treeInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		if err := os.MkdirAll(filepath.Join(p, "a", "b", "c"), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(p, "a", "b", "c", "file"), content, 0o644)
	})
}

// unpackInside unpacks an archive that it trusts.
func unpackInside(dir, _ string) error {
	archive := fstest.MapFS{"bin/tool": {Data: content, Mode: 0o755}, "etc/conf": {Data: content, Mode: 0o644}}
	return inside(dir, func(p string) error { return os.CopyFS(filepath.Join(p, "root"), archive) })
}

// socketInside listens where nobody else can connect.
func socketInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		l, err := net.Listen("unix", filepath.Join(p, "s"))
		if err != nil {
			return err
		}
		return l.Close()
	})
}

// fifoInside has a named pipe.
func fifoInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		name := filepath.Join(p, "pipe")
		if err := unix.Mkfifo(name, 0o600); err != nil {
			return err
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// lockInside takes a lock file.
func lockInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		f, err := os.OpenFile(filepath.Join(p, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), f.Close())
	})
}

// rootInside confines all names to the directory that it has opened.
func rootInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		r, err := os.OpenRoot(p)
		if err != nil {
			return err
		}
		defer r.Close()
		if err := r.MkdirAll("a/b", 0o700); err != nil {
			return err
		}
		return r.WriteFile("a/b/file", content, 0o600)
	})
}

// rootAtHome writes below the private directory, whatever the name says.
func rootAtHome(_, home string) error {
	r, err := os.OpenRoot(home)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.WriteFile("../escape", content, 0o600); err == nil {
		return errors.New("the root leaks")
	}
	return r.WriteFile("settings", content, 0o600)
}

// atHome needs no care: nobody else gets there.
func atHome(_, home string) error {
	if err := os.MkdirAll(filepath.Join(home, "state", "v1"), 0o755); err != nil {
		return err
	}
	name := filepath.Join(home, "state", "v1", "db")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(name, content, 0o644)
	}
	return nil
}

// rootOfUploads reads from a directory in which others write: a root keeps
// the names inside, and the file is opened as a stranger's.
func rootOfUploads(dir, home string) error {
	// By itself, os.OpenRoot waits at a FIFO.
	d, err := os.OpenFile(filepath.Join(dir, "uploads"), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", d.Fd()))
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := r.OpenFile("photo", os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := onlyName(f); err != nil {
		return err
	}
	data := make([]byte, 16)
	n, err := f.Read(data)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "photo"), data[:n], 0o600)
}

// onlyName refuses what a stranger could have linked to: somebody else's file
// that the code, but not the stranger, may read.
func onlyName(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Sys().(*syscall.Stat_t).Nlink != 1 {
		return errors.New("not a regular file with one name")
	}
	return nil
}

// checkedDir makes a directory of a fixed name, or takes its own of an
// earlier run: FIO15-C's checks of owner and mode, for a directory whose parent
// keeps others from replacing it (sticky).
func checkedDir(dir, _ string) error {
	private := filepath.Join(dir, "app")
	if err := os.Mkdir(private, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := secureDir(private); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(private, "state"), content, 0o600)
}

// secureDir is FIO15-C's walk: from the root to the leaf each component is a
// directory of root's or one's own, in which nobody else may remove.
func secureDir(dir string) error {
	at := "/"
	for _, part := range append([]string{""}, strings.Split(strings.Trim(dir, "/"), "/")...) {
		at = filepath.Join(at, part)
		fi, err := os.Lstat(at)
		if err != nil {
			return err
		}
		owner := int(fi.Sys().(*syscall.Stat_t).Uid)
		others := fi.Mode().Perm()&0o022 != 0 && (fi.Mode()&os.ModeSticky == 0 || at == dir)
		if !fi.IsDir() || owner != 0 && owner != os.Geteuid() || others {
			return fmt.Errorf("%s is no secure directory", at)
		}
	}
	return nil
}

// pinnedDir looks at the directory that it has opened, not at a name, and
// goes on through the descriptor.
func pinnedDir(dir, _ string) error {
	private := filepath.Join(dir, "app")
	if err := os.Mkdir(private, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := unix.Open(private, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return errors.New("somebody else's directory")
	}
	f, err := unix.Openat(fd, "state", unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, err = unix.Write(f, content)
	return errors.Join(err, unix.Close(f))
}

// shell works in a private directory of mktemp's.
func shell(string, string) error {
	out, err := exec.Command("sh", "-ec", `d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; echo data > "$d/file"; grep -q data "$d/file"`).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// shellFile has a file of mktemp's.
func shellFile(string, string) error {
	out, err := exec.Command("sh", "-ec", `f=$(mktemp); trap 'rm -f "$f"' EXIT; echo data > "$f"`).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
