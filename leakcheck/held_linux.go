package leakcheck

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// birthTime is when the file was made, as far as its file system knows. The
// kernel's clock for it lags behind by up to 12 ms.
func birthTime(path string, st fs.FileInfo) time.Time {
	var x unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &x)
	if err != nil || x.Mask&unix.STATX_BTIME == 0 {
		return st.ModTime() // not before the birth, for a file that nobody dates back
	}
	return time.Unix(x.Btime.Sec, int64(x.Btime.Nsec))
}

// identity tells a file from all others that have had its name: by the number of
// its inode and of that number's use, where the file system says both.
func identity(path string) string {
	if h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0); err == nil {
		return string(h.Bytes())
	}
	var x unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &x) != nil || x.Mask&unix.STATX_BTIME == 0 {
		return ""
	}
	return fmt.Sprint(x.Ino, " ", x.Btime.Sec, " ", x.Btime.Nsec)
}

// list reads the names, for an empty directory in three system calls: this is
// done twice for each test.
func (r *root) list() (names []string, err error) {
	if _, err := unix.Seek(r.fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var buf [4096]byte
	for {
		n, err := unix.Getdents(r.fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n <= 0:
			return names, err
		}
		// To the end, even of an answer without names: the kernel cuts one short,
		// after "." as well, when a signal is pending (filldir64 in fs/readdir.c),
		// such as the Go runtime's own by which it preempts.
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

const fdDir = "/proc/self/fd"

// descriptors are the numbers of this process's open files.
func descriptors() []int {
	f, err := os.Open(fdDir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	own := int(f.Fd())
	numbers := make([]int, 0, len(names))
	for _, s := range names {
		if n, err := strconv.Atoi(s); err == nil && n != own {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// lowDescriptors are those that come without a gap of 32 or more numbers that
// are not open. One system call tells it for many, where /proc needs several
// slow ones. Linux gives out the lowest number that is free, so that only one
// which somebody chose (dup2) is farther up.
func lowDescriptors() []int {
	const gap, invalid = 32, 0x20 // POLLNVAL
	var numbers []int
	var first [64]unix.PollFd // most programs have fewer
	for fds := first[:]; ; fds = make([]unix.PollFd, 2*len(fds)) {
		for i := range fds {
			fds[i].Fd = int32(i)
		}
		if _, err := unix.Poll(fds, 0); err != nil {
			return descriptors() // a limit below the block
		}
		numbers = make([]int, 0, 32)
		for i := range fds {
			if fds[i].Revents&invalid == 0 {
				numbers = append(numbers, i)
			}
		}
		if len(numbers) == 0 || numbers[len(numbers)-1] < len(fds)-gap {
			return numbers
		}
	}
}

// openFiles are those of the descriptors that are of files below the root.
func openFiles(r *root, numbers []int) []*leak {
	var list []*leak
	for _, n := range numbers {
		var st unix.Stat_t
		if n == r.fd || unix.Fstat(n, &st) != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFDIR, unix.S_IFIFO:
		default:
			continue // sockets and what has no inode of its own: not files of a directory
		}
		to, err := os.Readlink(fdDir + "/" + strconv.Itoa(n))
		if err != nil {
			continue
		}
		name := below(r.files, to)
		if name == "" {
			continue
		}
		l := &leak{kind: descriptor, name: name, fd: n, what: "open file", size: st.Size, perm: fs.FileMode(st.Mode & 0o777)}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			l.what = "open directory"
		}
		if bare, gone := strings.CutSuffix(name, " (deleted)"); gone {
			l.name = bare
			l.what += ", removed"
			if base := filepath.Base(bare); strings.HasPrefix(base, "#") {
				l.name, l.what = filepath.Join(filepath.Dir(bare), "(unnamed)"), "open file without a name (O_TMPFILE)"
			}
		}
		list = append(list, l)
	}
	sortLeaks(list)
	return list
}

// openElsewhere are pipes, sockets, and files that are not below the root. What
// the kernel made for the process without a name, such as the runtime's epoll
// instance, and what /proc, /sys and /dev have is left out.
func openElsewhere(r *root, numbers []int) []*leak {
	var list []*leak
	for _, n := range numbers {
		to, err := os.Readlink(fdDir + "/" + strconv.Itoa(n))
		if err != nil || n == r.fd || below(r.files, to) != "" || to == r.files || below(r.path, to) != "" {
			continue
		}
		l := &leak{kind: elsewhere, fd: n, name: to, what: "open file"}
		switch {
		case strings.HasPrefix(to, "pipe:"):
			l.name, l.what = "pipe", "one end of a pipe"
		case strings.HasPrefix(to, "socket:"):
			l.name, l.what = "socket", socketText(n)
		case !strings.HasPrefix(to, "/"), strings.HasPrefix(to, "/proc/"), strings.HasPrefix(to, "/sys/"), strings.HasPrefix(to, "/dev/"):
			continue
		default:
			if bare, gone := strings.CutSuffix(to, " (deleted)"); gone {
				l.name, l.what = bare, "open file, removed"
			}
		}
		list = append(list, l)
	}
	return list
}

// socketText says what a socket is: its kind and its own address.
func socketText(fd int) string {
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return "socket"
	}
	kind := "connection"
	if listens, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listens != 0 {
		kind = "listener"
	} else if typ, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); typ == unix.SOCK_DGRAM {
		kind = "datagram socket"
	}
	switch a := addr.(type) {
	case *unix.SockaddrUnix:
		if a.Name == "" {
			return "Unix " + kind
		}
		return "Unix " + kind + " at " + strconv.Quote(a.Name)
	case *unix.SockaddrInet4:
		return kind + " at " + netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrInet6:
		return kind + " at " + netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)).String()
	}
	return kind
}

// blind says what is not looked for, where there is no /proc.
func blind() string {
	why := supervise.MissingProc()
	if why != "" {
		why = "open descriptors, mappings and processes are not looked for: " + why
	}
	return why
}

// seesDescriptor says that the way of openFiles leads to f.
func seesDescriptor(r *root, f *os.File) bool {
	to, err := os.Readlink(fdDir + "/" + strconv.Itoa(int(f.Fd())))
	if err != nil {
		_, err = os.Stat("/proc/self/stat")
		return err != nil // without /proc there is no such check: see blind
	}
	return below(r.files, to) == filepath.Base(f.Name())
}

// mappings are the mapped files below the root.
func mappings(r *root) []*leak {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	var list []*leak
	seen := map[string]bool{}
	for line := range bytes.Lines(b) {
		i := bytes.IndexByte(line, '/')
		if i < 0 {
			continue
		}
		name := below(r.files, unescape(strings.TrimSuffix(string(line[i:]), "\n")))
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		bare, gone := strings.CutSuffix(name, " (deleted)")
		l := &leak{kind: mapping, name: bare, what: "mapped file"}
		if gone {
			l.what += ", removed"
		}
		list = append(list, l)
	}
	sortLeaks(list)
	return list
}

// unescape undoes what /proc/self/maps does to a line break in a name.
func unescape(s string) string { return strings.ReplaceAll(s, `\012`, "\n") }

// children says whether this process has, or ever had, a child process. It is
// cheap, so that the look through /proc is made only where it can find one.
type children struct{ usage unix.Rusage }

func newChildren() *children {
	c := new(children)
	_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &c.usage)
	return c
}

func (c *children) any() bool {
	var now unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &now) != nil || now != c.usage || signal.Ignored(unix.SIGCHLD) {
		return true // ignored, nobody waits and nothing is counted
	}
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != unix.ECHILD
}

// processes are those that this process, or what it started, left running: its
// descendants, and whoever has the mark, or the root in its environment, as its
// working directory, as its program or open. Before are processes that may stay.
func processes(r *root, before []int) []*leak {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	uid := uint32(os.Geteuid())
	parents := map[int]int{}
	var own []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		var st unix.Stat_t
		if err != nil || pid == os.Getpid() || unix.Stat("/proc/"+name, &st) != nil || st.Uid != uid {
			continue
		}
		own = append(own, pid)
		parents[pid] = parentOf(pid)
	}
	slices.Sort(own)
	var list []*leak
	for _, pid := range own {
		if parents[pid] < 0 || slices.Contains(before, pid) {
			continue
		}
		if !descends(pid, parents) && !uses(pid, r) {
			continue
		}
		list = append(list, &leak{kind: process, name: program(pid), pid: pid, what: "running process", birth: time.Time{}})
	}
	return list
}

// parentOf is the parent of a process, -1 when it has ended.
func parentOf(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return -1
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return -1
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}

func descends(pid int, parents map[int]int) bool {
	for range 1000 {
		if pid = parents[pid]; pid <= 1 {
			return false
		}
		if pid == os.Getpid() {
			return true
		}
	}
	return false
}

// uses says that the process has something to do with the root.
func uses(pid int, r *root) bool {
	if r.mark.on(pid) {
		return true
	}
	dir := "/proc/" + strconv.Itoa(pid)
	env, _ := os.ReadFile(dir + "/environ")
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == rootVariable+"="+r.files {
			return true
		}
	}
	links := []string{dir + "/cwd", dir + "/exe"}
	if fds, err := os.ReadDir(dir + "/fd"); err == nil {
		for _, fd := range fds {
			links = append(links, dir+"/fd/"+fd.Name())
		}
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && (to == r.files || below(r.files, to) != "") {
			return true
		}
	}
	return false
}

func program(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(b))
}
