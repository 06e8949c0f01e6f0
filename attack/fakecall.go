package attack

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tmpproof/tmpproof/fsfake"
	"github.com/tmpproof/tmpproof/internal/lines"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// fakeCall is the system call that an operation of package fsfake stands for,
// with the name that package os has it made by on Linux: schedules and reports
// of both worlds read alike.
type fakeCall struct {
	name   string
	kind   supervise.Kind
	follow bool
}

var fakeCalls = map[string]fakeCall{
	"stat":     {"newfstatat", supervise.Check, true},
	"lstat":    {"newfstatat", supervise.Check, false},
	"access":   {"faccessat", supervise.Check, true},
	"statfs":   {"statfs", supervise.Check, true},
	"readlink": {"readlinkat", supervise.Read, false},
	"open":     {"openat", supervise.Open, true},
	"mkdir":    {"mkdirat", supervise.Mkdir, false},
	"mknod":    {"mknodat", supervise.Mknod, false},
	"symlink":  {"symlinkat", supervise.Symlink, false},
	"link":     {"linkat", supervise.Link, false},
	"flink":    {"linkat", supervise.Link, false},
	"unlink":   {"unlinkat", supervise.Unlink, false},
	"rmdir":    {"unlinkat", supervise.Rmdir, false},
	"rename":   {"renameat", supervise.Rename, false},
	"chmod":    {"fchmodat", supervise.Attr, true},
	"chown":    {"fchownat", supervise.Attr, true},
	"lchown":   {"lchown", supervise.Attr, false},
	"utimens":  {"utimensat", supervise.Attr, true},
	"lutimens": {"utimensat", supervise.Attr, false},
	"truncate": {"truncate", supervise.Write, true},
	"fstat":    {"fstat", supervise.Check, false},
	"fchmod":   {"fchmod", supervise.Attr, false},
	"fchown":   {"fchown", supervise.Attr, false},
	"futimens": {"utimensat", supervise.Attr, false},
	"fsync":    {"fsync", supervise.Write, false},
}

// ioCalls are boundaries for Faults and Kills alone, as with the kernel's disk.
var ioCalls = map[string]fakeCall{
	"read":      {"read", supervise.Read, false},
	"write":     {"write", supervise.Write, false},
	"readdir":   {"getdents64", supervise.Read, false},
	"ftruncate": {"ftruncate", supervise.Write, false},
	"close":     {"close", supervise.Close, false},
}

// callOf is what an operation stands for, if it can be a boundary.
func (w *fakeWorld) callOf(op *fsfake.Op) (fakeCall, bool) {
	c, ok := fakeCalls[op.Name]
	if !ok && (w.opt.verb.injects() || w.opt.seesWrites() && op.Name == "write") {
		if c, ok = ioCalls[op.Name]; ok && op.Offset >= 0 && op.Data != nil {
			c.name = map[string]string{"read": "pread64", "write": "pwrite64"}[c.name]
		}
	}
	return c, ok
}

// boundary looks the paths of an operation up; nil when it does not concern
// the scene.
func (w *fakeWorld) boundary(op *fsfake.Op) *boundary {
	c, ok := w.callOf(op)
	if !ok {
		return nil
	}
	b := &w.stands
	*b = boundary{call: c.name, kind: c.kind, perm: permOf(op.Mode), owner: strings.HasSuffix(op.Name, "chown") && (op.UID != -1 || op.GID != -1)}
	switch op.Name {
	case "open":
		c.follow = b.opens(op.Flag)
	case "write":
		b.length = int64(len(op.Data))
	}
	if op.Name == "rename" && op.Flag != 0 {
		b.call, b.exchange = "renameat2", op.Flag&fsfake.RenameExchange != 0
	}
	w.standOp, w.standFollow = op, c.follow
	if w.lookUp(); len(b.lookups) == 0 && b.object == "" {
		return nil
	}
	b.refresh, b.locate = w.looked, w.located // the present call's alone
	return b
}

// lookUp looks the paths of the operation at hand up.
func (w *fakeWorld) lookUp() {
	b, op := &w.stands, w.standOp
	b.lookups, b.object = nil, ""
	if op.File != nil && op.Name != "open" {
		if b.object = w.objectOf(op.File); w.opt.verb == faults {
			b.fd = w.descriptorOf(op.File, b.object)
		}
	} else {
		w.lookup(b, op, op.Path, w.standFollow, op.NewPath == "" || op.Name == "symlink" || b.exchange)
	}
	if op.NewPath != "" && op.Name != "symlink" {
		w.lookup(b, op, op.NewPath, false, true)
	}
}

// permOf is what a call asks for by mode, as the system has it.
func permOf(m fs.FileMode) uint32 {
	perm := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		perm |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		perm |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		perm |= 0o1000
	}
	return perm
}

// modeOf is the inverse of permOf.
func modeOf(perm uint32) fs.FileMode {
	m := fs.FileMode(perm & 0o777)
	for _, mode := range []fs.FileMode{fs.ModeSetuid, fs.ModeSetgid, fs.ModeSticky} {
		if perm&permOf(mode) != 0 {
			m |= mode
		}
	}
	return m
}

// opens fills in what the flags of an open say, and tells whether it follows
// a link at the end of its path.
func (b *boundary) opens(flag int) (follow bool) {
	const tmpfile = fsfake.O_TMPFILE &^ fsfake.O_DIRECTORY
	const access = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
	onlyPath := flag&fsfake.O_PATH == fsfake.O_PATH
	b.tmpfile = flag&tmpfile != 0
	b.create = flag&os.O_CREATE != 0 && !b.tmpfile
	b.excl = b.create && flag&os.O_EXCL != 0
	b.write = flag&access != os.O_RDONLY
	b.read = flag&access != os.O_WRONLY && !onlyPath
	b.trunc = flag&os.O_TRUNC != 0
	b.onlyDir = flag&fsfake.O_DIRECTORY != 0
	b.nowait = flag&fsfake.O_NONBLOCK != 0 || flag&access == os.O_RDWR || onlyPath
	return flag&fsfake.O_NOFOLLOW == 0 && !b.excl
}

// lookup resolves one path argument.
func (w *fakeWorld) lookup(b *boundary, op *fsfake.Op, raw string, follow, makes bool) {
	name, given := raw, fakePath(raw)
	if op.Dir != nil { // the last name, in an open directory
		name = path.Base(given)
		given = op.Dir.Path() + "/" + name
	} else if base := op.FS.Base(); base != "/" {
		given = base + "/" + given
	}
	// Most have one path of one or two names: one piece of memory holds it.
	var own struct {
		lookup [1]lookup
		steps  [2]access
	}
	kept := &own
	l := &kept.lookup[0]
	l.given, l.follow, l.makes, l.steps = w.d.named(given), follow, makes, kept.steps[:0]
	w.found = op.FS.Lookups(w.found[:0], op.Dir, name, follow)
	for i := range w.found {
		s := &w.found[i]
		dir, inside := w.d.rel(s.Dir)
		// What is handed to the victim is trusted: the walk begins below it.
		if !inside || dir == "." && !s.Last && (s.Name == dirShared || s.Name == dirHome) {
			continue
		}
		a := access{dir: dir, name: s.Name, last: s.Last, parent: !s.Last, rest: s.Rest}
		if a.at = s.Name; dir != "." {
			a.at = joined(l.given, dir, s.Name)
		}
		if s.Found {
			a.node = nodeFrom(&s.Info)
		}
		l.steps = append(l.steps, a)
	}
	l.failsBelow()
	switch {
	case len(l.steps) == 0:
	case b.lookups == nil:
		b.lookups = kept.lookup[:]
	default:
		b.lookups = append(b.lookups, *l)
	}
}

// failsBelow adds the first name below what is no directory, at which the lookup
// fails (ENOTDIR).
func (l *lookup) failsBelow() {
	if len(l.steps) == 0 {
		return
	}
	s := l.steps[len(l.steps)-1]
	if !s.parent || !s.node.exists() || s.node.isDir() || s.node.isLink() {
		return
	}
	if name, rest, _ := strings.Cut(namesIn(s.rest), "/"); name != "" {
		l.steps = append(l.steps, access{dir: s.path(), name: name, last: rest == "", parent: rest != "", rest: rest})
	}
}

// joined is the name of an entry, which may be what was given: then it needs
// no memory of its own.
func joined(given, dir, name string) string {
	if n := len(dir); len(given) == n+1+len(name) && given[n] == '/' && given[:n] == dir && given[n+1:] == name {
		return given
	}
	return dir + "/" + name
}

// writes tells of content that was written to a file of the attacker's.
func (w *fakeWorld) writes(op *fsfake.Op) {
	if op.Name != "write" || op.N == 0 || w.phase != inVictim {
		return
	}
	for o, p := range w.attacker.own {
		if o.ino == op.File.Inode() && told(string(op.Data[:op.N]), p.data) {
			w.h.wrote(o, int64(op.N))
		}
	}
}

// objectOf is the present name of an open file, "" outside of the scene.
func (w *fakeWorld) objectOf(f *fsfake.File) string {
	nameless := w.open[f].nameless
	w.found = w.fs.Lookups(w.found[:0], nil, f.Name(), true)
	if n := len(w.found); n > 0 {
		s := &w.found[n-1]
		if dir, inside := w.d.rel(s.Dir); inside && s.Found && s.Info.Stat().Ino == f.Inode() {
			return path.Join(dir, s.Name)
		}
	}
	if at := w.d.whereIs(f.Inode(), ".", 0); at != "" {
		return at // it was renamed
	}
	name := w.d.named(fakePath(f.Name())) // it was removed
	if nameless {
		name += "/#*" // as the kernel calls it, but for its number
	}
	if under(name, dirShared) || under(name, dirHome) {
		return name
	}
	return ""
}

// locate adds the source line to a boundary. It is called on the goroutine
// that makes the call.
func (w *fakeWorld) locate(b *boundary) {
	pcs := w.pcs[:runtime.Callers(3, w.pcs[:])]
	key := uint64(len(pcs))
	for _, pc := range pcs {
		key = (key ^ uint64(pc)) * 0x9e3779b97f4a7c15
		key ^= key >> 29
	}
	li, ok := w.lines[key]
	if !ok {
		li = lineOf(victimFrames(pcs))
		w.lines[key] = li
	}
	b.line, b.chain, b.main, b.side = li.line, li.chain, li.main, !li.main
}

// victimFrames leaves out what stands between the disk and the explorer.
func victimFrames(pcs []uintptr) []runtime.Frame {
	var frames []runtime.Frame
	inside := false
	for all := runtime.CallersFrames(pcs); ; {
		f, more := all.Next()
		if inside = inside || lines.Package(f.Function) == fsfakePackage || strings.HasSuffix(f.Function, ".(*fakeWorld).point"); inside {
			frames = append(frames, f)
		}
		if !more {
			return frames
		}
	}
}

// fakePath is a path in the form of the disk's, as package fsfake takes it.
func fakePath(p string) string {
	return strings.TrimPrefix(filepath.ToSlash(p), filepath.ToSlash(filepath.VolumeName(p)))
}
