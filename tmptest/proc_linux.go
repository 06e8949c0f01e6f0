package tmptest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const deletedMark = " (deleted)"

// openFiles lists the descriptors of this process on dir or below it.
func openFiles(dir string, dev uint64) ([]openFile, error) {
	fds, err := descriptors(dev)
	if err != nil {
		return nil, err
	}
	var files []openFile
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		socket := err == nil && strings.HasPrefix(target, "socket:")
		if socket {
			target = boundTo(fd)
		}
		if err != nil || !below(dir, strings.TrimSuffix(target, deletedMark)) {
			continue
		}
		path, deleted := strings.CutSuffix(target, deletedMark)
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			continue // closed meanwhile
		}
		files = append(files, openFile{path: path, deleted: deleted, inherit: flags&unix.FD_CLOEXEC == 0, socket: socket})
	}
	return files, nil
}

// boundTo is the file that a unix socket is bound to by its own doing, "" for
// others: one that was accepted has the name of the one that listens.
func boundTo(fd int) string {
	if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || domain != unix.AF_UNIX {
		return ""
	}
	kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if listens, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listens == 0 && kind != unix.SOCK_DGRAM {
		return ""
	}
	addr, err := unix.Getsockname(fd)
	at, ok := addr.(*unix.SockaddrUnix)
	if err != nil || !ok || at.Name == "" || at.Name[0] == '@' {
		return ""
	}
	path, err := filepath.Abs(at.Name) // a relative name is one of the working directory, as far as that is known
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	return path
}

// workingDir is the working directory of this process, without links.
func workingDir() (string, error) {
	dir, err := os.Readlink("/proc/self/cwd")
	return strings.TrimSuffix(dir, deletedMark), err
}

// maxProbe bounds the descriptors that are tried one by one.
const maxProbe = 1 << 10

// highest are the descriptors above the others that were seen last: those that
// a parent process left open have numbers far above the rest.
var highest atomic.Pointer[[]int]

// descriptors lists the numbers in use that may have a path on the device, or
// on any if it is 0: no sockets and no anonymous inodes. Since Linux 6.2 the size of /proc/self/fd is their count,
// and then asking for one after the other is several times cheaper than
// reading the directory.
func descriptors(dev uint64) ([]int, error) {
	const dir = "/proc/self/fd"
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if fds, ok := probeDescriptors(int(st.Size), dev); ok {
		return fds, nil
	}
	names, err := readNames(dir)
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	high := slices.DeleteFunc(slices.Clone(fds), func(fd int) bool { return fd < len(fds) })
	highest.Store(&high)
	return fds, nil
}

// probeDescriptors looks for count descriptors, the known high ones first.
func probeDescriptors(count int, dev uint64) (fds []int, ok bool) {
	var high []int
	if p := highest.Load(); p != nil {
		high = *p
	}
	seen := 0
	try := func(fd int) {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil {
			return
		}
		seen++
		if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			fds = append(fds, fd)
			return
		}
		if dev != 0 && uint64(st.Dev) != dev {
			return
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFIFO, unix.S_IFBLK:
			fds = append(fds, fd)
		}
	}
	for _, fd := range high {
		try(fd)
	}
	// The directory is read again, and what is high learnt, where the numbers
	// are far apart.
	for fd := 0; fd < min(maxProbe, 2*count+16) && seen < count; fd++ {
		if !slices.Contains(high, fd) {
			try(fd)
		}
	}
	return fds, count > 0 && seen == count
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// childMark changes whenever a child of this process has been waited for.
func childMark() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &usage); err != nil {
		return -1
	}
	return int64(usage.Minflt)
}

// hadChildren reports whether this process has a child now, or has waited for
// one since the mark was taken. Where both are no, no descendant can live: the
// search through all processes is spared.
func hadChildren(mark int64) bool {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return !errors.Is(err, unix.ECHILD) || mark < 0 || childMark() != mark
	}
}

// processesIn looks through /proc for processes with their working directory,
// program or a descriptor in dir. Every process that may be looked at counts,
// not only descendants: an orphan has another parent, and dir is private. Each
// process is named once.
func processesIn(dir string) ([]process, error) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil, err
	}
	names, err := readNames("/proc")
	if err != nil {
		return nil, err
	}
	var users []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if how, path, ok := usesDir("/proc/"+name, dir); ok {
			users = append(users, process{pid: pid, name: command("/proc/" + name), how: how, path: path})
		}
	}
	return users, nil
}

// usesDir reports how the process uses dir. What may not be read is another
// user's, or has ended.
func usesDir(proc, dir string) (how, path string, ok bool) {
	for _, link := range []struct{ name, how string }{{"cwd", "working directory"}, {"exe", "program"}} {
		if path, ok := linksInto(proc+"/"+link.name, dir); ok {
			return link.how, path, true
		}
	}
	fds, err := readNames(proc + "/fd")
	if err != nil {
		return "", "", false
	}
	slices.Sort(fds)
	for _, fd := range fds {
		if path, ok := linksInto(proc+"/fd/"+fd, dir); ok {
			return "open file", path, true
		}
	}
	return "", "", false
}

func linksInto(link, dir string) (path string, ok bool) {
	target, err := os.Readlink(link)
	if err != nil {
		return "", false
	}
	target = strings.TrimSuffix(target, deletedMark)
	return target, below(dir, target)
}

// command is the command line of a process, at most 60 bytes of it.
func command(proc string) string {
	data, err := os.ReadFile(proc + "/cmdline")
	if err != nil || len(data) == 0 {
		if !errors.Is(err, fs.ErrNotExist) {
			data, _ = os.ReadFile(proc + "/comm")
		}
	}
	data = bytes.ReplaceAll(bytes.TrimRight(data, "\x00\n"), []byte{0}, []byte{' '})
	return strconv.Quote(string(data[:min(len(data), 60)]))
}
