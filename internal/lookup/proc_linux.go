package lookup

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func procOf(tid int) string { return "/proc/" + itoa(tid) }

// readlink is the text of a symbolic link that is open. It sets the link's
// access time.
func readlink(link *Place) (string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(link.fd, "", buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// kind says how a symbolic link is followed.
type kind uint8

const (
	text      kind = iota // its text is a path
	jumps                 // a magic link: to an object
	own                   // /proc/self: by who looks
	ownThread             // /proc/thread-self
)

// kindOf tells the links of /proc apart.
func kindOf(dir *Place, name string, link *Place) (kind, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(link.fd, &fs); err != nil {
		return text, err
	}
	const noSymFollow = 0x2000 // ST_NOSYMFOLLOW
	switch {
	case fs.Flags&noSymFollow != 0:
		return text, unix.ELOOP
	case fs.Type != unix.PROC_SUPER_MAGIC:
		return text, nil
	}
	const rootIno = 1 // PROC_ROOT_INO
	if dir.Dev == link.Dev && dir.Ino == rootIno {
		switch name {
		case "self":
			return own, nil
		case "thread-self":
			return ownThread, nil
		}
		return text, nil // mounts, net: all by their text
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(dir.fd, name, &how)
	switch err {
	case nil:
		_ = unix.Close(fd)
		return text, nil
	case unix.ENOSYS, unix.EPERM, unix.ELOOP: // a sandbox may refuse the call; such links lie below a process mostly
		return jumps, nil
	}
	return text, nil
}

// procDev is the device of the /proc that this process sees.
var procDev = sync.OnceValue(func() uint64 {
	o, _ := Stat(unix.AT_FDCWD, "/proc", 0)
	return o.Dev
})

// self is what /proc/self or /proc/thread-self says to the thread, in the
// process numbers of the /proc at hand.
func (s *walk) self(thread bool) (string, error) {
	pid, tid := s.PID, s.TID
	if s.cur.Dev != procDev() {
		if pid = s.numberIn(s.PID); pid == 0 {
			return "", unix.ENOENT
		}
		if tid = s.numberIn(s.TID); tid == 0 {
			return "", unix.ENOENT
		}
	}
	if thread {
		return itoa(pid) + "/task/" + itoa(tid), nil
	}
	return itoa(pid), nil
}

// numberIn is the number of a thread in another /proc, which the walk has come
// to: that of one of the namespaces of process numbers that the thread is in.
// 0: it is in none that this /proc shows.
func (s *walk) numberIn(tid int) int {
	status, err := os.ReadFile(procOf(tid) + "/status")
	if err != nil {
		return 0
	}
	numbers := strings.Fields(field(status, "NSpid:"))
	for i := len(numbers) - 1; i >= 0; i-- {
		n, err := strconv.Atoi(numbers[i])
		if err != nil {
			continue
		}
		there, err := readAt(s.cur.fd, numbers[i]+"/status")
		// Seen from there its numbers begin with that of that namespace.
		if err == nil && strings.Join(strings.Fields(field(there, "NSpid:")), " ") == strings.Join(numbers[i:], " ") && same(s.cur.fd, numbers[i], tid) {
			return n
		}
	}
	return 0
}

// same reports whether both were started at the same tick.
func same(proc int, number string, tid int) bool {
	a, err := readAt(proc, number+"/stat")
	b, berr := os.ReadFile(procOf(tid) + "/stat")
	return err == nil && berr == nil && started(a) != "" && started(a) == started(b)
}

func started(stat []byte) string {
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const at = 19 // field 22, the state being field 3
	if len(f) <= at {
		return ""
	}
	return string(f[at])
}

func readAt(dirfd int, name string) ([]byte, error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	buf := make([]byte, 8192)
	n, err := f.Read(buf)
	return buf[:n], err
}

// field is the rest of the line that begins so.
func field(status []byte, name string) string {
	i := bytes.Index(status, []byte("\n"+name))
	if i < 0 {
		return ""
	}
	line, _, _ := bytes.Cut(status[i+1+len(name):], []byte("\n"))
	return string(line)
}

// SameView reports whether a thread has the same root and sees the same mounts
// as this process.
func SameView(tid int) bool {
	return sameObject("/proc/self/root", procOf(tid)+"/root") && sameObject("/proc/self/ns/mnt", procOf(tid)+"/ns/mnt")
}

func sameObject(a, b string) bool {
	x, xerr := Stat(unix.AT_FDCWD, a, 0)
	y, yerr := Stat(unix.AT_FDCWD, b, 0)
	return xerr == nil && yerr == nil && x.Same(&y)
}
