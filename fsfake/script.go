package fsfake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Log writes a line for every operation on the disk to w until stop is called:
// who, what, and with what result.
//
//	1000:1000/022 open f1 "/tmp/a" O_RDWR|O_CREATE|O_EXCL 0600 = ok
//	1000:1000/022 write f1 -1 "hello" = 5
//	1000:1000/022 rename "/tmp/a" "/etc/a" 0 = EACCES
//
// Replay runs such a text. Errors of w are ignored.
func (d *Disk) Log(w io.Writer) (stop func()) {
	l := &logger{w: w, files: map[*File]string{}}
	return d.Hook(Hook{After: l.line})
}

type logger struct {
	mu    sync.Mutex
	w     io.Writer
	files map[*File]string
}

func (l *logger) line(op *Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if op.Name == "open" {
		name := "f" + strconv.Itoa(len(l.files)+1)
		if op.File != nil {
			l.files[op.File] = name
		}
		op = &Op{Name: op.Name, FS: op.FS, Path: op.Path, Flag: op.Flag, Mode: op.Mode, Err: op.Err}
		fmt.Fprintf(l.w, "%s open %s %s = %s\n", userText(op.FS.User()), name, strings.Join(op.args(""), " "), op.result())
		return
	}
	fmt.Fprintf(l.w, "%s %s %s = %s\n", userText(op.FS.User()), op.Name,
		strings.Join(op.args(l.files[op.File]), " "), op.result())
}

// String gives the operation and its result as a line of the log has them, but
// for the user.
func (op *Op) String() string {
	file := ""
	if op.File != nil && op.Name != "open" {
		file = strconv.Quote(op.File.name)
	}
	return op.Name + " " + strings.Join(op.args(file), " ") + " = " + op.result()
}

// args gives the arguments of an operation as text. Each function of verbs
// reads what this writes.
func (op *Op) args(file string) []string {
	path, second := strconv.Quote(op.Path), strconv.Quote(op.NewPath)
	mode := fmt.Sprintf("%#o", permBits(op.Mode)|typeBits(op.Mode)&^typeReg)
	switch op.Name {
	case "open":
		return []string{path, flagText(op.Flag), mode}
	case "mkdir", "chmod":
		return []string{path, mode}
	case "access":
		return []string{path, fmt.Sprintf("%#o", uint32(op.Mode))}
	case "mknod":
		return []string{path, mode, strconv.FormatUint(op.Dev, 10)}
	case "symlink", "link":
		return []string{path, second}
	case "rename":
		return []string{path, second, strconv.Itoa(op.Flag)}
	case "chown", "lchown":
		return []string{path, strconv.Itoa(op.UID), strconv.Itoa(op.GID)}
	case "utimens", "lutimens":
		return []string{path, timeText(op.Atime), timeText(op.Mtime)}
	case "truncate":
		return []string{path, strconv.FormatInt(op.Offset, 10)}
	case "read":
		return []string{file, strconv.FormatInt(op.Offset, 10), strconv.Itoa(len(op.Data))}
	case "write":
		return []string{file, strconv.FormatInt(op.Offset, 10), strconv.Quote(string(op.Data))}
	case "ftruncate":
		return []string{file, strconv.FormatInt(op.Offset, 10)}
	case "fchmod":
		return []string{file, mode}
	case "fchown":
		return []string{file, strconv.Itoa(op.UID), strconv.Itoa(op.GID)}
	case "futimens":
		return []string{file, timeText(op.Atime), timeText(op.Mtime)}
	case "flink":
		return []string{file, second}
	case "close", "fsync", "fstat", "readdir":
		return []string{file}
	}
	return []string{path}
}

func (op *Op) result() string {
	switch {
	case op.Err == nil || op.Err == io.EOF:
		switch op.Name {
		case "read", "write", "readdir":
			return strconv.Itoa(op.N)
		}
		return "ok"
	case op.N > 0:
		return strconv.Itoa(op.N) + "," + errText(op.Err)
	}
	return errText(op.Err)
}

func userText(u User) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d", u.UID, u.GID)
	for _, g := range u.Groups {
		fmt.Fprintf(&b, ",%d", g)
	}
	fmt.Fprintf(&b, "/%03o", uint32(u.Umask))
	return b.String()
}

func timeText(t time.Time) string {
	switch {
	case t.IsZero(), t.Equal(TimeOmit):
		return "omit"
	case t.Equal(TimeNow):
		return "now"
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// errNames has the errors that operations give, under the names of errno(3).
var errNames = []struct {
	err  syscall.Errno
	name string
}{
	{errAccess, "EACCES"}, {errPerm, "EPERM"}, {errExist, "EEXIST"}, {errNotEmpty, "ENOTEMPTY"},
	{syscall.ENOENT, "ENOENT"}, {syscall.ENOTDIR, "ENOTDIR"}, {syscall.EISDIR, "EISDIR"}, {syscall.EINVAL, "EINVAL"},
	{syscall.ELOOP, "ELOOP"}, {syscall.ENAMETOOLONG, "ENAMETOOLONG"}, {syscall.EBUSY, "EBUSY"}, {syscall.EXDEV, "EXDEV"},
	{syscall.EROFS, "EROFS"}, {syscall.ENOSPC, "ENOSPC"}, {syscall.EDQUOT, "EDQUOT"}, {syscall.EMLINK, "EMLINK"},
	{syscall.EFBIG, "EFBIG"}, {syscall.EBADF, "EBADF"}, {syscall.ENXIO, "ENXIO"}, {syscall.EAGAIN, "EAGAIN"},
	{syscall.EINTR, "EINTR"}, {syscall.EIO, "EIO"}, {syscall.ENOMEM, "ENOMEM"}, {syscall.ESTALE, "ESTALE"},
	{syscall.ESPIPE, "ESPIPE"}, {syscall.EMFILE, "EMFILE"}, {syscall.ENFILE, "ENFILE"},
}

func errText(err error) string {
	for _, e := range errNames {
		if err == e.err {
			return e.name
		}
	}
	return strconv.Quote(err.Error())
}

var flagNames = []struct {
	flag int
	name string
}{
	{os.O_CREATE, "O_CREATE"}, {os.O_EXCL, "O_EXCL"}, {os.O_TRUNC, "O_TRUNC"}, {os.O_APPEND, "O_APPEND"}, {os.O_SYNC, "O_SYNC"},
	{O_NOFOLLOW, "O_NOFOLLOW"}, {O_TMPFILE, "O_TMPFILE"}, {O_DIRECTORY, "O_DIRECTORY"}, {O_PATH, "O_PATH"},
	{O_NOATIME, "O_NOATIME"}, {O_NONBLOCK, "O_NONBLOCK"},
}

func flagText(flag int) string {
	names := []string{[]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[flag&3]}
	flag &^= 3
	for _, f := range flagNames {
		if f.flag != 0 && flag&f.flag == f.flag {
			names = append(names, f.name)
			flag &^= f.flag
		}
	}
	if flag != 0 {
		names = append(names, fmt.Sprintf("%#x", flag))
	}
	return strings.Join(names, "|")
}

func parseFlagText(s string) (flag int, err error) {
	for _, name := range strings.Split(s, "|") {
		switch i := strings.Index("O_RDONLY O_WRONLY O_RDWR   O_ACCMODE", name); {
		case i >= 0 && i%9 == 0:
			flag |= i / 9
			continue
		}
		found := false
		for _, f := range flagNames {
			if f.name == name {
				flag |= f.flag
				found = true
			}
		}
		if !found {
			n, err := strconv.ParseInt(name, 0, 64)
			if err != nil {
				return 0, fmt.Errorf("unknown flag %q", name)
			}
			flag |= int(n)
		}
	}
	return flag, nil
}

// Replay does what a text in the form of Log says, and returns an error that
// names the first line with another result, or that cannot be read. Empty lines
// and lines that begin with "#" are passed over. Operations are seen by hooks,
// faults and the log, as ever.
func (d *Disk) Replay(script io.Reader) error {
	p := &player{disk: d, views: map[string]*FS{}, files: map[string]*File{}}
	defer func() {
		for _, f := range p.files {
			f.Close()
		}
	}()
	lines := bufio.NewScanner(script)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if err := p.play(text); err != nil {
			return fmt.Errorf("fsfake: line %d: %s: %w", n, text, err)
		}
	}
	return lines.Err()
}

type player struct {
	disk  *Disk
	views map[string]*FS
	files map[string]*File
}

// play runs one line.
func (p *player) play(line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	n := len(words)
	if n < 5 || words[n-2] != "=" {
		return fmt.Errorf(`not of the form: user operation argument... = result`)
	}
	v := p.views[words[0]]
	if v == nil {
		u, err := parseUser(words[0])
		if err != nil {
			return err
		}
		v = p.disk.As(u)
		p.views[words[0]] = v
	}
	verb := verbs[words[1]]
	if verb == nil {
		return fmt.Errorf("unknown operation %q", words[1])
	}
	a := &arguments{words: words[2 : n-2], files: p.files}
	got, err := verb(v, a)
	switch {
	case a.err != nil:
		return a.err
	case len(a.words) > 0:
		return fmt.Errorf("too many arguments")
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	op := &Op{Name: words[1], N: got, Err: err}
	if op.result() != words[n-1] {
		return fmt.Errorf("got %s", op.result())
	}
	return nil
}

// split takes a line apart at spaces outside of quotes.
func split(line string) (words []string, err error) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		word, _, _ := strings.Cut(line, " ")
		if line[0] == '"' {
			if word, err = strconv.QuotedPrefix(line); err != nil {
				return nil, fmt.Errorf("quotes: %w", err)
			}
		}
		words = append(words, word)
		line = line[len(word):]
	}
	return words, nil
}

func parseUser(s string) (u User, err error) {
	ids, mask, ok := strings.Cut(s, "/")
	var m uint64
	if ok {
		if m, err = strconv.ParseUint(mask, 8, 32); err != nil {
			return u, err
		}
	}
	u.Umask = fs.FileMode(m)
	uid, gids, _ := strings.Cut(ids, ":")
	if u.UID, err = strconv.Atoi(uid); err != nil {
		return u, fmt.Errorf("user %q is not of the form uid:gid,group/umask", s)
	}
	for i, g := range strings.Split(gids, ",") {
		n, err := strconv.Atoi(g)
		if err != nil {
			return u, fmt.Errorf("user %q is not of the form uid:gid,group/umask", s)
		}
		if i == 0 {
			u.GID = n
		} else {
			u.Groups = append(u.Groups, n)
		}
	}
	return u, nil
}
