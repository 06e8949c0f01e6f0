package fsfake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// arguments are the words of a line that are still to be read. The first error
// stays.
type arguments struct {
	words []string
	files map[string]*File
	err   error
}

func (a *arguments) word() string {
	if len(a.words) == 0 {
		a.fail(errors.New("too few arguments"))
		return ""
	}
	w := a.words[0]
	a.words = a.words[1:]
	return w
}

func (a *arguments) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *arguments) text() string {
	s, err := strconv.Unquote(a.word())
	if err != nil {
		a.fail(errors.New("a name or data is not quoted"))
	}
	return s
}

func (a *arguments) int() int64 {
	n, err := strconv.ParseInt(a.word(), 0, 64)
	if err != nil {
		a.fail(err)
	}
	return n
}

func (a *arguments) mode() fs.FileMode { return fileMode(uint32(a.int())) }

func (a *arguments) flags() int {
	f, err := parseFlagText(a.word())
	if err != nil {
		a.fail(err)
	}
	return f
}

func (a *arguments) time() time.Time {
	switch w := a.word(); w {
	case "omit":
		return TimeOmit
	case "now":
		return TimeNow
	default:
		var sec, nsec int64
		if _, err := fmt.Sscanf(w, "%d.%d", &sec, &nsec); err != nil {
			a.fail(fmt.Errorf("time %q: %w", w, err))
		}
		return time.Unix(sec, nsec)
	}
}

// file gives an open file; a name that was never opened is an error.
func (a *arguments) file() *File {
	w := a.word()
	f := a.files[w]
	if f == nil {
		a.fail(fmt.Errorf("no open file %q", w))
	}
	return f
}

// verb runs one operation. It does nothing once its arguments have failed.
type verb func(v *FS, a *arguments) (int, error)

// onName, onNames and onHandle make verbs of the operations without other
// arguments than names.
func onName(f func(*FS, string) error) verb {
	return func(v *FS, a *arguments) (int, error) {
		name := a.text()
		return a.run(func() error { return f(v, name) })
	}
}

func onHandle(f func(*File, *arguments) func() error) verb {
	return func(v *FS, a *arguments) (int, error) {
		h := a.file()
		if h == nil {
			return 0, a.err
		}
		return a.run(f(h, a))
	}
}

func (a *arguments) run(do func() error) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	return 0, do()
}

// verbs are the operations of a script, by Op.Name.
var verbs = map[string]verb{
	"stat":     onName(func(v *FS, name string) error { _, err := v.Stat(name); return err }),
	"lstat":    onName(func(v *FS, name string) error { _, err := v.Lstat(name); return err }),
	"readlink": onName(func(v *FS, name string) error { _, err := v.Readlink(name); return err }),
	"statfs":   onName(func(v *FS, name string) error { _, err := v.Statfs(name); return err }),
	"unlink":   onName((*FS).Unlink),
	"rmdir":    onName((*FS).Rmdir),
	"open":     openVerb,
	"mkdir": func(v *FS, a *arguments) (int, error) {
		name, mode := a.text(), a.mode()
		return a.run(func() error { return v.Mkdir(name, mode) })
	},
	"chmod": func(v *FS, a *arguments) (int, error) {
		name, mode := a.text(), a.mode()
		return a.run(func() error { return v.Chmod(name, mode) })
	},
	"access": func(v *FS, a *arguments) (int, error) {
		name, mode := a.text(), a.int()
		return a.run(func() error { return v.Access(name, uint32(mode)) })
	},
	"mknod": func(v *FS, a *arguments) (int, error) {
		name, mode, dev := a.text(), a.mode(), a.int()
		return a.run(func() error { return v.Mknod(name, mode, uint64(dev)) })
	},
	"symlink": func(v *FS, a *arguments) (int, error) {
		name, target := a.text(), a.text()
		return a.run(func() error { return v.Symlink(target, name) })
	},
	"link": func(v *FS, a *arguments) (int, error) {
		name, to := a.text(), a.text()
		return a.run(func() error { return v.Link(name, to) })
	},
	"rename": func(v *FS, a *arguments) (int, error) {
		name, to, flags := a.text(), a.text(), a.int()
		return a.run(func() error { return v.Renameat2(name, to, uint(flags)) })
	},
	"chown": func(v *FS, a *arguments) (int, error) {
		name, uid, gid := a.text(), a.int(), a.int()
		return a.run(func() error { return v.Chown(name, int(uid), int(gid)) })
	},
	"lchown": func(v *FS, a *arguments) (int, error) {
		name, uid, gid := a.text(), a.int(), a.int()
		return a.run(func() error { return v.Lchown(name, int(uid), int(gid)) })
	},
	"utimens":  timesVerb(true),
	"lutimens": timesVerb(false),
	"truncate": func(v *FS, a *arguments) (int, error) {
		name, size := a.text(), a.int()
		return a.run(func() error { return v.Truncate(name, size) })
	},
	"close": onHandle(func(f *File, _ *arguments) func() error { return f.Close }),
	"fsync": onHandle(func(f *File, _ *arguments) func() error { return f.Sync }),
	"fstat": onHandle(func(f *File, _ *arguments) func() error {
		return func() error { _, err := f.Stat(); return err }
	}),
	"fchmod": onHandle(func(f *File, a *arguments) func() error {
		mode := a.mode()
		return func() error { return f.Chmod(mode) }
	}),
	"fchown": onHandle(func(f *File, a *arguments) func() error {
		uid, gid := a.int(), a.int()
		return func() error { return f.Chown(int(uid), int(gid)) }
	}),
	"futimens": onHandle(func(f *File, a *arguments) func() error {
		at, mt := a.time(), a.time()
		return func() error { return f.Chtimes(at, mt) }
	}),
	"ftruncate": onHandle(func(f *File, a *arguments) func() error {
		size := a.int()
		return func() error { return f.Truncate(size) }
	}),
	"flink": onHandle(func(f *File, a *arguments) func() error {
		name := a.text()
		return func() error { return f.Link(name) }
	}),
	"read":    readVerb,
	"write":   writeVerb,
	"readdir": readdirVerb,
}

func timesVerb(follow bool) verb {
	return func(v *FS, a *arguments) (int, error) {
		name, at, mt := a.text(), a.time(), a.time()
		return a.run(func() error { return v.UtimesNano(name, at, mt, follow) })
	}
}

func openVerb(v *FS, a *arguments) (int, error) {
	handle, name, flags, mode := a.word(), a.text(), a.flags(), a.mode()
	if !strings.HasPrefix(handle, "f") {
		a.fail(fmt.Errorf("a handle is f1, f2, ..., not %q", handle))
	}
	return a.run(func() error {
		f, err := v.openFile(name, flags, mode)
		if err == nil {
			a.files[handle] = f
		}
		return err
	})
}

// maxRead bounds what a line of a script may ask to read.
const maxRead = 64 << 20

func readVerb(v *FS, a *arguments) (int, error) {
	f, off, size := a.file(), a.int(), a.int()
	if size < 0 || size > maxRead {
		a.fail(syscall.EINVAL)
	}
	if a.err != nil {
		return 0, a.err
	}
	p := make([]byte, size)
	var n int
	var err error
	if off < 0 {
		n, err = f.Read(p)
	} else {
		n, err = f.ReadAt(p, off)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func writeVerb(v *FS, a *arguments) (int, error) {
	f, off, data := a.file(), a.int(), a.text()
	if a.err != nil {
		return 0, a.err
	}
	if off < 0 {
		return f.Write([]byte(data))
	}
	return f.WriteAt([]byte(data), off)
}

func readdirVerb(v *FS, a *arguments) (int, error) {
	f := a.file()
	if a.err != nil {
		return 0, a.err
	}
	names, err := f.Readdirnames(-1)
	return len(names), err
}
