package hunt

import (
	"fmt"
	"strings"
)

// Go is the program as a row of a table of victims: on the fake disk through
// Scene.FS, else by packages os and unix. A path that is given by a descriptor
// is named in a comment, since each takes some lines of its own.
func (p *Program) Go(fake bool) string {
	w := goWriter{disk: "os.", low: "unix."}
	if fake {
		w.disk, w.low = "fsys.", "fsys."
		w.line("fsys := s.FS.(*fsfake.FS)")
	}
	for _, o := range p.Ops {
		w.op(o)
	}
	w.line("return nil")
	var b strings.Builder
	fmt.Fprintf(&b, "{name: %q, victim: func(s *attack.Scene) error {\n%s}", p, &w.text)
	if len(p.Before) > 0 {
		fmt.Fprintf(&b, ", opts: []attack.Option{attack.Setup(func(s *attack.Scene) error { return before(s, %#v...) })}", p.Before)
	}
	return b.String() + "},\n"
}

type goWriter struct {
	disk, low string
	text      strings.Builder
}

func (w *goWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.text, "\t"+format+"\n", args...)
}

// path is the expression of a name.
func (w *goWriter) path(name string) string {
	for _, t := range []struct{ name, variable string }{{TempFile, "file"}, {TempDir, "dir"}} {
		if rest, ok := strings.CutPrefix(name, t.name); ok {
			if rest == "" {
				return t.variable
			}
			return fmt.Sprintf("%s+%q", t.variable, rest)
		}
	}
	if name == "." {
		return "s.Dir"
	}
	return fmt.Sprintf("s.Path(%q)", name)
}

// op writes one operation.
func (w *goWriter) op(o Op) {
	if o.Form != Absolute {
		w.line("// the path is given by: %s", o.Form)
	}
	if goOn, ok := w.check(o); ok {
		w.line("if %s {\n\t\treturn nil\n\t}", goOn)
		return
	}
	before, call := w.call(o)
	if before != "" {
		w.line("%s", before)
	}
	if o.Heed {
		w.line("if err := %s; err != nil {\n\t\treturn err\n\t}", call)
	} else {
		w.line("_ = %s", call)
	}
}

// check is the condition under which a check ends the program.
func (w *goWriter) check(o Op) (string, bool) {
	a := w.path(o.A)
	switch o.Do {
	case IfThere:
		return fmt.Sprintf("_, err := %sStat(%s); err != nil", w.disk, a), true
	case IfAbsent:
		return fmt.Sprintf("_, err := %sStat(%s); !errors.Is(err, fs.ErrNotExist)", w.disk, a), true
	case IfLthere:
		return fmt.Sprintf("_, err := %sLstat(%s); err != nil", w.disk, a), true
	case IfLabsent:
		return fmt.Sprintf("_, err := %sLstat(%s); !errors.Is(err, fs.ErrNotExist)", w.disk, a), true
	case IfNoLink:
		return fmt.Sprintf("fi, err := %sLstat(%s); err != nil || fi.Mode()&fs.ModeSymlink != 0", w.disk, a), true
	case IfMine:
		return fmt.Sprintf("fi, err := %sLstat(%s); err != nil || !mine(fi)", w.disk, a), true
	case IfMyDir:
		return fmt.Sprintf("fi, err := %sLstat(%s); err != nil || !fi.IsDir() || !owned(fi)", w.disk, a), true
	case IfLink:
		return fmt.Sprintf("_, err := %sReadlink(%s); err != nil", w.disk, a), true
	}
	return "", false
}

// call is an expression that makes the calls and is an error, and what has to
// stand before it.
func (w *goWriter) call(o Op) (before, call string) {
	a, b := w.path(o.A), w.path(o.B)
	open := func(flags string, mode uint32, rest string) string {
		return fmt.Sprintf("opened(%sOpenFile(%s, %s, %#o))(%s)", w.disk, a, flags, mode, rest)
	}
	switch o.Do {
	case WriteFile:
		return "", fmt.Sprintf("%sWriteFile(%s, data, %#o)", w.disk, a, o.Mode)
	case WriteNew:
		return "", open("os.O_WRONLY|os.O_CREATE|os.O_EXCL", o.Mode, "write")
	case WriteThere:
		return "", open("os.O_WRONLY", 0, "write")
	case Append:
		return "", open("os.O_WRONLY|os.O_APPEND", 0, "write")
	case WriteMine:
		return "", open("os.O_WRONLY|unix.O_NOFOLLOW", 0, "ifMine(write)")
	case ReadMine:
		return "", open("os.O_RDONLY|unix.O_NOFOLLOW", 0, "ifMine(read)")
	case FChmod:
		return "", open("os.O_RDONLY", 0, fmt.Sprintf("chmod(%#o)", o.Mode))
	case ReadFile, ReadDir:
		name := map[Verb]string{ReadFile: "ReadFile", ReadDir: "ReadDir"}[o.Do]
		return "", fmt.Sprintf("second(%s%s(%s))", w.disk, name, a)
	case Mkdir, MkdirAll, Chmod:
		name := map[Verb]string{Mkdir: "Mkdir", MkdirAll: "MkdirAll", Chmod: "Chmod"}[o.Do]
		return "", fmt.Sprintf("%s%s(%s, %#o)", w.disk, name, a, o.Mode)
	case CreateTemp:
		return "file, err := work(" + a + ")", "err"
	case MkdirTemp:
		return fmt.Sprintf("dir, err := %sMkdirTemp(%s, \"dir-*\")", w.disk, a), "err"
	case Unlink, Rmdir:
		return "", fmt.Sprintf("%s%s(%s)", w.low, map[Verb]string{Unlink: "Unlink", Rmdir: "Rmdir"}[o.Do], a)
	case Remove, RemoveAll:
		return "", fmt.Sprintf("%s%s(%s)", w.disk, map[Verb]string{Remove: "Remove", RemoveAll: "RemoveAll"}[o.Do], a)
	case Rename, Link:
		return "", fmt.Sprintf("%s%s(%s, %s)", w.disk, map[Verb]string{Rename: "Rename", Link: "Link"}[o.Do], a, b)
	case Symlink:
		return "", fmt.Sprintf("%sSymlink(%q, %s)", w.disk, base(o.A), b)
	case Move, Exchange:
		flags := map[Verb]string{Move: "0", Exchange: "unix.RENAME_EXCHANGE"}[o.Do]
		if w.low == "unix." {
			return "", fmt.Sprintf("unix.Renameat2(unix.AT_FDCWD, %s, unix.AT_FDCWD, %s, %s)", a, b, flags)
		}
		return "", fmt.Sprintf("fsys.Renameat2(%s, %s, %s)", a, b, strings.ReplaceAll(flags, "unix.RENAME_EXCHANGE", "fsfake.RenameExchange"))
	case Chtimes:
		return "", fmt.Sprintf("%sChtimes(%s, then, then)", w.disk, a)
	case Truncate:
		return "", fmt.Sprintf("%sTruncate(%s, 3)", w.disk, a)
	case Chdir:
		return "", fmt.Sprintf("os.Chdir(%s)", a)
	case Exec:
		return "", fmt.Sprintf("exec.Command(%s).Run()", a)
	case Setxattr:
		return "", fmt.Sprintf("unix.Setxattr(%s, \"user.hunt\", []byte(\"1\"), 0)", a)
	}
	return "", "errors.New(" + string(o.Do) + ")"
}
