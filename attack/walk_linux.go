package attack

import (
	"path"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// walker looks a path up as the kernel will for the stopped thread, one name
// at a time, and notes the entries of the scene that it comes through.
type walker struct {
	disk  *osDisk
	pid   int
	tid   int
	steps []access
	links int
	vroot string // "/" of the thread, where it has changed it
}

const maxLinks = 40 // as the kernel

// lookup resolves one path argument of a stopped call.
func (w *walker) lookup(p supervise.Path) lookup {
	w.steps, w.links = nil, 0
	base := w.vroot
	if !strings.HasPrefix(p.Raw, "/") {
		base = w.dirOf(p.Dir)
	}
	if base == "" && p.Raw != "" && !strings.HasPrefix(p.Raw, "/") {
		return lookup{}
	}
	given := p.Raw
	if !strings.HasPrefix(given, "/") {
		given = base + "/" + given
	}
	if rel, ok := w.disk.rel(path.Clean(given)); ok {
		given = rel
	}
	w.walk(base, p.Raw, p.Follow, true)
	return lookup{given: given, follow: p.Follow, steps: w.steps}
}

// dirOf is the present path of a directory descriptor, or of the working
// directory.
func (w *walker) dirOf(fd int) string {
	link := "/proc/" + strconv.Itoa(w.tid) + "/cwd"
	if fd != unix.AT_FDCWD {
		link = "/proc/" + strconv.Itoa(w.tid) + "/fd/" + strconv.Itoa(fd)
	}
	at := readlink(link)
	if _, ok := w.disk.rel(at); ok || !strings.HasPrefix(at, "/") {
		return at
	}
	// A mount that is not one of ours (in another namespace, or taken off
	// since) bears another name, or none: the object tells.
	if n := statAt(unix.AT_FDCWD, link, 0); n.id != statAt(unix.AT_FDCWD, at, 0).id {
		if name := w.disk.whereIs(n.id); name != "" {
			return path.Clean(w.disk.abs(name))
		}
	}
	return at
}

func readlink(link string) string {
	var buf [unix.PathMax]byte
	n, err := unix.Readlink(link, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

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

// walk goes from dir (absolute, real, or "" for the root) along rest, and
// returns where it ends: a real absolute path, "" when it leads nowhere. last
// says that the end of rest is the end of the call's path.
func (w *walker) walk(dir, rest string, follow, last bool) string {
	if strings.HasPrefix(rest, "/") {
		dir = w.vroot
		if strings.HasPrefix(rest, w.disk.root+"/") && w.vroot == "" {
			dir, rest = w.disk.root, rest[len(w.disk.root)+1:]
		}
		// What is handed to the victim is trusted: the walk begins below it.
		for _, d := range []string{dirShared, dirHome} {
			if dir == w.disk.root && strings.HasPrefix(rest, d+"/") && strings.Trim(rest[len(d):], "/") != "" {
				dir, rest = w.disk.root+"/"+d, rest[len(d)+1:]
			}
		}
	}
	for rest != "" {
		var name string
		rest = strings.TrimLeft(rest, "/")
		name, rest, _ = strings.Cut(rest, "/")
		more := strings.Trim(rest, "/") != ""
		switch name {
		case "", ".":
			continue
		case "..":
			if dir != w.vroot {
				dir = path.Dir(dir)
				if dir == "/" {
					dir = ""
				}
			}
			continue
		}
		at := dir + "/" + name
		var n node
		rel, inside := w.disk.rel(at)
		if inside {
			n = w.disk.stat(rel)
			w.steps = append(w.steps, access{dir: path.Dir(rel), name: name, at: rel, node: n, last: last && !more, parent: more || !last})
		} else {
			at = w.process(at)
			n = statAt(unix.AT_FDCWD, at, unix.AT_SYMLINK_NOFOLLOW)
		}
		if !n.exists() {
			return ""
		}
		if n.isLink() && (more || follow || rest != "") {
			if w.links++; w.links > maxLinks {
				return ""
			}
			target := readlink(at)
			if strings.HasPrefix(at, "/proc/") && !inside {
				// A magic link leads to the object itself.
				dir = target
				if !more {
					w.object(target, last)
				}
				continue
			}
			dir = w.walk(dir, target, follow || more, last && !more)
			if dir == "" && more {
				return ""
			}
			if !more {
				return dir
			}
			continue
		}
		dir = at
	}
	return dir
}

// object notes an object that is reached without looking its name up.
func (w *walker) object(at string, last bool) {
	if rel, ok := w.disk.rel(at); ok {
		if n := w.disk.stat(rel); n.exists() {
			w.steps = append(w.steps, access{dir: path.Dir(rel), name: path.Base(rel), node: n, last: last})
		}
	}
}

// process gives /proc/self its meaning for the stopped thread.
func (w *walker) process(at string) string {
	switch {
	case at == "/proc/self":
		return "/proc/" + strconv.Itoa(w.pid)
	case at == "/proc/thread-self":
		return "/proc/" + strconv.Itoa(w.pid) + "/task/" + strconv.Itoa(w.tid)
	}
	return at
}

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
