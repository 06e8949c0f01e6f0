package attack

import (
	"os"
	"path"
	"strconv"
	"strings"

	kernel "github.com/tmpproof/tmpproof/internal/lookup"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// What the scene calls an object, and whether the victim sees the scene as this
// process does.

func itoa(n int) string { return strconv.Itoa(n) }

// procLink is the link to what a descriptor of a thread refers to, or with
// AT_FDCWD to its working directory.
func procLink(tid, fd int) string {
	if fd == unix.AT_FDCWD {
		return "/proc/" + itoa(tid) + "/cwd"
	}
	return "/proc/" + itoa(tid) + "/fd/" + itoa(fd)
}

func readlink(link string) string {
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(link, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

func idOf(o *kernel.Object) id { return id{o.Dev, o.Ino, o.Born} }

// rel is the scene's name of an absolute path.
func (d *osDisk) rel(abs string) (string, bool) {
	if abs == d.root {
		return ".", true
	}
	if len(abs) > len(d.root) && abs[len(d.root)] == '/' && strings.HasPrefix(abs, d.root) {
		return abs[len(d.root)+1:], true
	}
	return "", false
}

// where remembers what objects are called. What it says of one is checked
// before it is believed.
type where struct {
	names   map[id]string
	outside map[id]bool // directories; a rename can bring one in
}

func (d *osDisk) forgetNames() {
	clear(d.where.names)
	clear(d.where.outside)
}

// nameOf is the scene's name of an object, which link, of /proc, leads to;
// false for none. plain says that the kernel's name for it is what this process
// would call it too. An object that was removed has the name that it had, with
// the kernel's " (deleted)".
func (d *osDisk) nameOf(o *kernel.Object, link string, plain bool) (string, bool) {
	oid := idOf(o)
	if d.where.outside[oid] {
		return "", false
	}
	if name, ok := d.where.names[oid]; ok && (o.IsDir() || o.Links == 1) && d.stat(name).id == oid {
		return name, true
	}
	if plain && o.Dev != d.dev {
		return "", false
	}
	name, ok := d.rel(readlink(link))
	switch {
	case ok && d.stat(name).id == oid:
	case ok && o.Dev == d.dev && (o.Links == 0 || strings.HasSuffix(name, deleted)):
		return name, true
	case plain || o.Dev != d.dev:
		ok = false
	default: // another mount's name, or none
		name = d.whereIs(oid)
		ok = name != ""
	}
	switch {
	case ok:
		d.where.names[oid] = name
	case o.IsDir():
		d.where.outside[oid] = true
	}
	return name, ok
}

const deleted = " (deleted)"

// whereIs is the name of an object in the scene, "" for none.
func (d *osDisk) whereIs(object id) string {
	if d.stat(".").id == object {
		return "."
	}
	for _, part := range []string{dirShared, dirHome, dirAttic, dirVault} {
		if name := d.search(object, part, 0); name != "" {
			return name
		}
	}
	return ""
}

func (d *osDisk) search(object id, below string, depth int) string {
	n := d.stat(below)
	if n.id == object {
		return below
	}
	if !n.isDir() || depth > 16 {
		return ""
	}
	list, err := d.list(below)
	if err != nil {
		return ""
	}
	for _, e := range list {
		if at := d.search(object, path.Join(below, e), depth+1); at != "" {
			return at
		}
	}
	return ""
}

// readlink is the text of a link of the scene.
func (d *osDisk) readlink(name string) string {
	var buf [unix.PathMax]byte
	size, err := unix.Readlinkat(d.fd, name, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:size])
}

// aliased reports whether the scene can be reached by a second mount, so that
// its objects may have other names here already.
func aliased(root string) bool {
	o, err := kernel.Stat(unix.AT_FDCWD, root, 0)
	table, terr := os.ReadFile("/proc/self/mountinfo")
	if err != nil || terr != nil || o.Mount == 0 {
		return false
	}
	inFS, dev := "", "" // the scene's path in its file system
	lines := strings.Split(string(table), "\n")
	for _, line := range lines { // id parent major:minor root mountpoint
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != strconv.FormatUint(o.Mount, 10) {
			continue
		}
		dev, inFS = f[2], path.Join(unquoted(f[3]), strings.TrimPrefix(root, unquoted(f[4])))
	}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 5 || f[2] != dev || f[0] == strconv.FormatUint(o.Mount, 10) {
			continue
		}
		if top := unquoted(f[3]); top == "/" || under(inFS, top) {
			return true
		}
	}
	return false
}

// unquoted is a path of mountinfo without its octal escapes.
func unquoted(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if s[i] == '\\' {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				s = s[:i] + string([]byte{byte(n)}) + s[i+4:]
			}
		}
	}
	return s
}

// view is what is known of how the victim's threads see the disk.
type view struct {
	alike   bool // the child began with this process's root and mounts
	shifted bool // a call of this run may have changed a thread's root, or the mounts
}

// plain says that the names of the victim's threads are this process's.
func (w *osWorld) plain() bool { return w.view.alike && !w.view.shifted && !w.d.aliased }

// rebase takes note of a call that may change what names mean.
func (w *osWorld) rebase(ev *supervise.Event) {
	if ev.Rebases() {
		w.view.shifted = true
	}
}

// keepsView says that every thread of the child sees what this process sees: a
// thread that changed that has ended, or changed it back.
func (w *osWorld) keepsView() bool {
	tasks, err := os.ReadDir("/proc/" + itoa(w.tree.PID()) + "/task")
	if err != nil {
		return false
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil || !kernel.SameView(tid) {
			return false
		}
	}
	return true
}

// rooted says that the scene's path leads a thread somewhere else.
func (w *osWorld) rooted(ev *supervise.Event) bool {
	if w.plain() || w.view.alike && !w.view.shifted {
		return false
	}
	k := kernel.Walk{PID: ev.PID, TID: ev.TID}
	r := k.Resolve(kernel.Path{Raw: w.d.root, Dir: unix.AT_FDCWD, Follow: true})
	defer r.Close()
	return !r.Exists() || idOf(&r.End.Object) != w.d.stat(".").id
}
