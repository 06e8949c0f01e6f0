package attack

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/tmpproof/tmpproof/internal/rerun"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// What the victim does outside of the scene is not attacked, and whoever works
// for it there is not watched. A report says so.

// notesOutside sees a call that goes to a shared place outside of the scene, or
// to a process that is not watched, or that was refused.
func (w *osWorld) notesOutside(ev *supervise.Event) {
	switch {
	case ev.Kind == supervise.Refused:
		w.noteOutside(ev, outsideCall{kind: assumedRefused, call: ev.Name})
	case ev.Name == "connect":
		if to, ok := w.peer(ev); ok {
			w.noteOutside(ev, outsideCall{kind: assumedUnwatched, call: ev.Name, name: to})
		}
	case ev.Kind == supervise.Signal:
		if to, ok := w.signalled(ev); ok {
			w.noteOutside(ev, outsideCall{kind: assumedUnwatched, call: ev.Name, name: to})
		}
	case ev.Kind == supervise.Process:
	default:
		for _, p := range ev.Paths {
			if p.Null || p.Err != nil || p.Raw == "" {
				continue
			}
			abs, err := ev.Abs(p)
			if err != nil {
				continue
			}
			rerun.LookedAt(filepath.Clean(abs))
			if dir, name, ok := w.sharedPlace(filepath.Clean(abs), ev.Kind == supervise.Check); ok {
				w.noteOutside(ev, outsideCall{kind: assumedOutside, call: ev.Name, dir: dir, name: name})
			}
		}
	}
}

// noteOutside notes one call with its line, each once in a run.
func (w *osWorld) noteOutside(ev *supervise.Event, o outsideCall) {
	var b boundary
	w.describe(&b, ev)
	o.line, o.program = b.line, b.program
	if !slices.Contains(w.outside, o) {
		w.outside = append(w.outside, o)
	}
}

// sharedPlace finds the directory on the way to a path in which everyone may
// create names, and the name that the path has there: one that is not, or not
// surely, the user's own.
func (w *osWorld) sharedPlace(p string, checks bool) (dir, name string, ok bool) {
	if under(p, w.d.root) || under(w.d.root, p) {
		return "", "", false
	}
	for at := 1; at < len(p); {
		dir = strings.TrimSuffix(p[:at], "/")
		end := len(p)
		if i := strings.IndexByte(p[at:], '/'); i >= 0 {
			end = at + i
		}
		open, private := w.openToAll(dir + "/")
		if private {
			return "", "", false
		}
		if open && !under(w.d.root, p[:end]) {
			n := statAt(unix.AT_FDCWD, p[:end], unix.AT_SYMLINK_NOFOLLOW)
			ours := n.exists() && (n.uid == 0 || int(n.uid) == os.Geteuid())
			if !n.isDir() || !ours {
				return dir, p[at:end], true
			}
			if end == len(p) {
				return dir, p[at:end], !checks
			}
		}
		at = end + 1
	}
	return "", "", false
}

// openToAll says whether others may create names in a directory, or not even
// search it.
func (w *osWorld) openToAll(dir string) (open, private bool) {
	if perm, known := w.modes[dir]; known {
		return perm&3 == 3, perm&1 == 0
	}
	n := statAt(unix.AT_FDCWD, dir, 0)
	perm := n.perm
	if !n.isDir() {
		perm = 1 // nothing is created there
	}
	if w.modes == nil {
		w.modes = map[string]uint32{}
	}
	w.modes[dir] = perm
	return perm&3 == 3, perm&1 == 0
}

// peer is the address of a connect, if a process that is not watched listens
// there.
func (w *osWorld) peer(ev *supervise.Event) (string, bool) {
	b := make([]byte, min(ev.Args[2], unix.SizeofSockaddrUnix))
	if len(b) < 3 || ev.Read(ev.Args[1], b) != nil {
		return "", false
	}
	net := "/proc/" + strconv.Itoa(ev.TID) + "/net/"
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_UNIX && b[2] == 0:
		name := "@" + string(b[3:])
		return printable(maskNumbers(name)), w.unwatched(unixSocket(net, name))
	case family == unix.AF_UNIX:
		path, _, _ := strings.Cut(string(b[2:]), "\x00")
		if len(ev.Paths) > 0 {
			if abs, err := ev.Abs(ev.Paths[0]); err == nil && under(filepath.Clean(abs), w.d.root) {
				return "", false // a boundary
			}
		}
		return printable(maskNumbers(path)), w.unwatched(unixSocket(net, path))
	case family == unix.AF_INET && len(b) >= 8:
		return w.internet(net, netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case family == unix.AF_INET6 && len(b) >= 24:
		return w.internet(net, netip.AddrFrom16([16]byte(b[8:24])).Unmap(), binary.BigEndian.Uint16(b[2:]))
	}
	return "", false
}

// ephemeral is where the ports begin that the kernel gives out: their numbers
// are chance.
const ephemeral = 32768

func (w *osWorld) internet(net string, addr netip.Addr, port uint16) (string, bool) {
	if port == 0 {
		return "", false // resolvers ask for the way only
	}
	to := addr.String() + ":" + strconv.Itoa(int(port))
	if port >= ephemeral {
		to = addr.String() + ":*"
	}
	if !addr.IsLoopback() && !addr.IsUnspecified() {
		return to, true
	}
	return to, w.unwatched(internetSocket(net, port))
}

// unwatched says that one of the sockets is held by nobody in the victim's
// tree.
func (w *osWorld) unwatched(inodes []string) bool {
	if len(inodes) == 0 {
		return false // nobody listens there
	}
	for _, pid := range append(w.tree.Living(), w.tree.PID()) {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd"
		fds, _ := os.ReadDir(dir)
		for _, fd := range fds {
			if inode, ok := strings.CutPrefix(readlink(dir+"/"+fd.Name()), "socket:["); ok && slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
				return false
			}
		}
	}
	return true
}

// unixSocket finds the sockets bound to a name.
func unixSocket(net, name string) (inodes []string) {
	eachLine(net+"unix", func(f []string, line string) {
		const inode, path = 6, 7
		if len(f) > path && f[inode] != "0" && strings.TrimRight(line[strings.LastIndex(line, " "+f[path])+1:], "\n") == strings.ReplaceAll(name, "\x00", "@") {
			inodes = append(inodes, f[inode])
		}
	})
	return inodes
}

// internetSocket finds the sockets that wait for connections or datagrams at a
// port of this host.
func internetSocket(net string, port uint16) (inodes []string) {
	var want [2]byte
	binary.BigEndian.PutUint16(want[:], port)
	suffix := ":" + strings.ToUpper(hex.EncodeToString(want[:]))
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		waits := "0A" // TCP_LISTEN
		if strings.HasPrefix(table, "udp") {
			waits = "07" // TCP_CLOSE: it has no peer
		}
		eachLine(net+table, func(f []string, _ string) {
			const local, state, inode = 1, 3, 9
			if len(f) > inode && strings.HasSuffix(f[local], suffix) && f[state] == waits {
				inodes = append(inodes, f[inode])
			}
		})
	}
	return inodes
}

func eachLine(name string, yield func(fields []string, line string)) {
	b, err := os.ReadFile(name)
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		yield(strings.Fields(lines.Text()), lines.Text())
	}
}

// signalled names a process outside of the tree that is sent a signal.
func (w *osWorld) signalled(ev *supervise.Event) (string, bool) {
	pid, sig := int(int32(ev.Args[0])), syscall.Signal(ev.Args[1])
	switch ev.Name {
	case "pidfd_send_signal":
		pid = pidOf(ev.TID, pid)
	case "tgkill":
		sig = syscall.Signal(ev.Args[2])
	}
	if pid <= 0 || sig == 0 || pid == w.tree.PID() || slices.Contains(w.tree.Living(), pid) {
		return "", false
	}
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return "the process " + printable(strings.TrimSpace(string(name))), err == nil
}
