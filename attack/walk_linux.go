package attack

import (
	"path"
	"strings"

	kernel "github.com/tmpproof/tmpproof/internal/lookup"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// walker looks a path up as the kernel will for the stopped thread, one name
// at a time, and notes the entries of the scene that it comes through.
//
// Where a thread sees what this process sees (plain), a path that begins in
// the scene is followed by the scene's own names as long as it stays in it.
// Every other is resolved in the thread's own context, by objects: see
// package lookup.
type walker struct {
	disk  *osDisk
	pid   int
	tid   int
	plain bool
	steps []access
	given string // "": the walk has not come to the scene
	links int
}

const maxLinks = 40 // as the kernel

// lookup resolves one path argument of a stopped call.
func (w *walker) lookup(p supervise.Path, resolve uint64) lookup {
	w.steps, w.links, w.given = nil, 0, ""
	if !w.plain || resolve != 0 || !w.begin(p) {
		w.steps, w.links, w.given = nil, 0, ""
		w.resolve(p, resolve)
	}
	return lookup{given: w.given, follow: p.Follow, steps: w.steps}
}

// begin follows a path that begins in the scene; false: it does not, or leads
// out of it.
func (w *walker) begin(p supervise.Path) bool {
	dir, rest := ".", ""
	switch {
	case strings.HasPrefix(p.Raw, w.disk.root+"/"):
		rest = p.Raw[len(w.disk.root)+1:]
	case strings.HasPrefix(p.Raw, "/") || p.Raw == "":
		return false
	default:
		o, link, err := objectOf(w.tid, p.Dir)
		if err != nil || !o.IsDir() {
			return false
		}
		at, ok := w.disk.nameOf(&o, link, true)
		if !ok {
			return false
		}
		dir, rest = at, p.Raw
	}
	w.enter(dir, rest, false)
	_, inside := w.walk(dir, rest, "", p.Follow)
	return inside
}

// objectOf is what a descriptor of a thread refers to, or with AT_FDCWD its
// working directory, and the link that leads there.
func objectOf(tid, fd int) (kernel.Object, string, error) {
	link := procLink(tid, fd)
	o, err := kernel.Stat(unix.AT_FDCWD, link, 0)
	return o, link, err
}

// descriptor is the scene's name of what a descriptor refers to.
func (w *walker) descriptor(fd int) (string, bool) {
	o, link, err := objectOf(w.tid, fd)
	if err != nil {
		return "", false
	}
	return w.disk.nameOf(&o, link, w.plain)
}

// enter notes the name under which the victim came to the scene. top says that
// dir is the root of the path, which ".." does not leave.
func (w *walker) enter(dir, rest string, top bool) {
	if top {
		rest = path.Clean("/" + rest)
	}
	w.given = path.Clean(dir + "/" + rest)
	if strings.HasPrefix(w.given, "../") { // and then elsewhere
		w.given = path.Join(w.disk.root, w.given)
		if rel, ok := w.disk.rel(w.given); ok {
			w.given = rel
		}
	}
}

// trusted says that a name is what is handed to the victim, on the way to what
// lies below: there the walk begins.
func trusted(dir, name string, last bool) bool {
	return dir == "." && !last && (name == dirShared || name == dirHome)
}

// walk goes from dir along rest by the scene's names, and returns where it
// ends: "" when it leads nowhere. then is what the call's path has after rest. It
// is given up where it leads out of the scene.
func (w *walker) walk(dir, rest, then string, follow bool) (end string, inside bool) {
	last := then == ""
	for rest != "" {
		var name string
		rest = strings.TrimLeft(rest, "/")
		name, rest, _ = strings.Cut(rest, "/")
		more := strings.Trim(rest, "/") != ""
		switch name {
		case "":
			continue
		case ".", "..":
			if !w.disk.stat(dir).isDir() {
				return "", true
			}
			if name == ".." {
				if dir == "." {
					return "", false
				}
				dir = path.Dir(dir)
			}
			continue
		}
		at := name
		if dir != "." {
			at = dir + "/" + name
		}
		n := w.disk.stat(at)
		if trusted(dir, name, last && !more) {
			if n.isLink() {
				return "", false // it is not what was handed out any more
			}
			dir = at
			continue
		}
		w.steps = append(w.steps, access{dir: dir, name: name, at: at, node: n, last: last && !more, parent: more || !last, rest: after(rest, then)})
		if !n.exists() {
			return "", true
		}
		if n.isLink() && (more || follow) {
			if w.links++; w.links > maxLinks {
				return "", true
			}
			target, from := w.disk.readlink(at), dir
			if strings.HasPrefix(target, "/") {
				if !strings.HasPrefix(target, w.disk.root+"/") {
					return "", false
				}
				target, from = target[len(w.disk.root)+1:], "."
			}
			end, inside := w.walk(from, target, after(rest, then), follow || more)
			if end == "" || !more {
				return end, inside
			}
			dir = end
			continue
		}
		dir = at
	}
	return dir, true
}

// after is what a path has after one of its names: what is left of the text at
// hand, then what comes behind that.
func after(rest, then string) string {
	switch rest = strings.Trim(rest, "/"); {
	case rest == "":
		return then
	case then == "":
		return rest
	}
	return rest + "/" + then
}

// resolve follows a path in the thread's own context.
func (w *walker) resolve(p supervise.Path, resolve uint64) {
	k := kernel.Walk{PID: w.pid, TID: w.tid, Visit: w.visit, Jump: w.jump}
	k.Start = func(at *kernel.Place, rest string) {
		if dir, ok := w.name(at); ok {
			w.enter(dir, rest, strings.HasPrefix(p.Raw, "/") || resolve&unix.RESOLVE_IN_ROOT != 0)
		}
	}
	if w.plain {
		// Without links and mounts the way to a directory outside the scene
		// does not lead through it.
		k.Plain = func(at *kernel.Place) bool { _, inside := w.name(at); return !inside }
	}
	r := k.Resolve(kernel.Path{Raw: p.Raw, Dir: p.Dir, Follow: p.Follow, Resolve: resolve})
	r.Close()
	if w.given == "" && len(w.steps) > 0 { // an object, by no name of the scene's
		if w.given = path.Clean(p.Raw); !strings.HasPrefix(p.Raw, "/") {
			w.given = path.Join(readlink(procLink(w.tid, p.Dir)), p.Raw)
		}
	}
}

// visit notes a name that the kernel looks up, if it is one of the scene.
func (w *walker) visit(n *kernel.Name) {
	dir, ok := w.name(n.Dir)
	if !ok {
		return
	}
	if w.given == "" {
		w.enter(dir, n.Name+"/"+n.Rest, false)
	}
	if trusted(dir, n.Name, n.Last) {
		return
	}
	a := access{dir: dir, name: n.Name, at: path.Join(dir, n.Name), last: n.Last, parent: !n.Last, rest: n.Rest}
	a.node = w.disk.stat(a.at)
	a.covered = n.Found != nil && a.node.id != idOf(&n.Found.Object)
	w.steps = append(w.steps, a)
}

// jump notes an object that is reached without looking its name up.
func (w *walker) jump(to *kernel.Place, last bool) {
	if !last {
		return
	}
	if at, ok := w.name(to); ok {
		if n := w.disk.stat(at); n.exists() {
			w.steps = append(w.steps, access{dir: path.Dir(at), name: path.Base(at), node: n, last: true})
		}
	}
}

func (w *walker) name(at *kernel.Place) (string, bool) {
	return w.disk.nameOf(&at.Object, "/proc/self/fd/"+itoa(at.FD()), w.plain)
}
