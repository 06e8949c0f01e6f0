package fsfake

import (
	"errors"
	"strings"
	"syscall"
)

// errEscapes is what os.Root returns too for a path that leads out of it.
var errEscapes = errors.New("path escapes from parent")

// lastKind is what the last component of a path is.
type lastKind uint8

const (
	lastName lastKind = iota
	lastDot
	lastDotDot
	lastRoot
)

// walk is one resolution of a path, as link_path_walk of the kernel does it.
// Disk.mu is held.
type walk struct {
	v       *FS
	dir     *node  // the directory that the last component is looked up in
	last    string // the last component
	kind    lastKind
	slash   bool   // followed by a slash
	links   int    // symbolic links followed
	winding bool   // through a symbolic link or "..": not to be cached
	excl    bool   // Disk.mu is held for writing: take no directory lock
	shard   int    // of Disk.mu, if it is held for reading
	gen     uint64 // of the disk, when nobody has it alone
	held    *node  // the directory whose lock is held for reading
	locked  *node  // the directory whose lock is held for writing
}

// parent resolves all but the last component of a path.
func (w *walk) parent(path string) error {
	if len(path) >= maxPath {
		if hasNUL(path) {
			return syscall.EINVAL
		}
		return syscall.ENAMETOOLONG
	}
	if w.v.beneath && path != "" && path[0] == '/' {
		return errEscapes
	}
	at := strings.LastIndexByte(path, '/')
	last := path[at+1:]
	if last == "" || last[0] == '.' && (last == "." || last == "..") || strings.IndexByte(last, 0) >= 0 {
		return w.start(path)
	}
	if at <= 0 { // in the root of the view, whose path "" in the cache would be wrong
		if w.dir = w.v.root; at < 0 {
			w.dir = w.v.begin()
		}
		if !w.dir.isDir() {
			return syscall.ENOTDIR
		}
		w.last, w.kind, w.slash = last, lastName, false
		return w.v.cred.may(w.dir.dir.mode, w.dir.dir.uid, w.dir.dir.gid, mayExec)
	}
	prefix := path[:at]
	hash := hashPath(prefix)
	dir := w.cached(prefix, hash)
	if dir == nil {
		if dir = w.extend(prefix); dir != nil {
			w.v.cache.put(hash, &cachedPath{path: prefix, node: dir, gen: w.gen, count: dir.unnamed.Load()})
		}
	}
	if dir != nil {
		w.dir, w.last, w.kind, w.slash = dir, last, lastName, false
		return nil
	}
	if err := w.start(path); err != nil {
		return err
	}
	if !w.winding {
		w.v.cache.put(hash, &cachedPath{path: prefix, node: w.dir, gen: w.gen, count: w.dir.unnamed.Load()})
	}
	return nil
}

// cached gives the directory of a path that is cached, if the user may search it.
func (w *walk) cached(path string, hash uint64) *node {
	e := w.v.cache.get(path, hash)
	if e == nil || e.gen != w.gen || e.node == nil || !e.node.isDir() || e.node.unnamed.Load() != e.count {
		return nil
	}
	n := e.node
	if w.v.cred.may(n.dir.mode, n.dir.uid, n.dir.gid, mayExec) != nil {
		return nil
	}
	return n
}

// remember puts what the last component is into the cache, once the path was
// asked for twice; n is nil for nothing. The directory's lock is held.
func (w *walk) remember(path string, n *node) {
	if w.winding || w.slash || w.excl {
		return
	}
	hash := hashPath(path)
	if !w.v.cache.wanted(path, hash, w.gen) {
		return
	}
	e := &cachedPath{path: path, node: n, dir: w.dir, gen: w.gen}
	if n != nil {
		e.count = n.unnamed.Load()
	} else {
		e.count = w.dir.dir.added.Load()
	}
	w.v.cache.put(hash, e)
}

// extend resolves a prefix from a shorter one that is cached, if it is one
// plain directory further on.
func (w *walk) extend(prefix string) *node {
	at := strings.LastIndexByte(prefix, '/')
	if at <= 0 {
		return nil
	}
	name := prefix[at+1:]
	if name == "" || name[0] == '.' || len(name) > maxName {
		return nil
	}
	dir := w.cached(prefix[:at], hashPath(prefix[:at]))
	if dir == nil {
		return nil
	}
	n := w.lookup(dir, name)
	if n == nil || !n.isDir() || w.v.cred.may(n.dir.mode, n.dir.uid, n.dir.gid, mayExec) != nil {
		return nil
	}
	return n
}

// begin is where a relative name begins.
func (v *FS) begin() *node {
	if v.from != nil {
		return v.from
	}
	return v.root
}

// start begins a walk.
func (w *walk) start(path string) error {
	if path == "" {
		return syscall.ENOENT
	}
	if strings.IndexByte(path, 0) >= 0 {
		return syscall.EINVAL
	}
	if w.dir = w.v.begin(); !w.dir.isDir() && path[0] != '/' {
		return syscall.ENOTDIR
	}
	return w.run(path)
}

// run resolves a path from w.dir.
func (w *walk) run(path string) error {
	if path[0] == '/' {
		if w.v.beneath {
			return errEscapes
		}
		w.dir = w.v.root
		path = strings.TrimLeft(path, "/")
		if path == "" {
			w.kind, w.slash, w.last = lastRoot, false, ""
			return nil
		}
	}
	for {
		cur := w.dir
		if err := w.v.cred.may(cur.dir.mode, cur.dir.uid, cur.dir.gid, mayExec); err != nil {
			return err
		}
		name, rest, more := strings.Cut(path, "/")
		if more {
			rest = strings.TrimLeft(rest, "/")
		}
		if rest == "" {
			w.last, w.slash = name, more
			switch name {
			case ".":
				w.kind = lastDot
			case "..":
				w.kind = lastDotDot
				w.winding = true
			default:
				w.kind = lastName
			}
			return nil
		}
		path = rest
		switch name {
		case ".":
			continue
		case "..":
			w.winding = true
			up, err := w.up(cur)
			if err != nil {
				return err
			}
			w.dir = up
			continue
		}
		if len(name) > maxName {
			return syscall.ENAMETOOLONG
		}
		n := w.lookup(cur, name)
		switch {
		case n == nil:
			return syscall.ENOENT
		case n.isLink():
			target, err := w.follow(n, false)
			if err != nil {
				return err
			}
			path = target + "/" + rest
			if target[0] == '/' {
				if w.v.beneath {
					return errEscapes
				}
				w.dir = w.v.root
				path = strings.TrimLeft(path, "/")
			}
		case !n.isDir():
			return syscall.ENOTDIR
		default:
			w.dir = n
		}
	}
}

// up gives the parent of a directory; the root is its own.
func (w *walk) up(cur *node) (*node, error) {
	if cur != w.v.root {
		return cur.dir.parent, nil
	}
	if w.v.beneath {
		return nil, errEscapes
	}
	return cur, nil
}

// lookup finds a name in a directory, taking its lock for the moment.
func (w *walk) lookup(dir *node, name string) *node {
	if w.excl {
		return dir.dir.get(w.v.disk.conf().fold, name)
	}
	dir.dir.mu.Lock()
	n := dir.dir.get(w.v.disk.conf().fold, name)
	dir.dir.mu.Unlock()
	return n
}

// follow goes through a symbolic link that stands in w.dir and gives its
// target. trailing says that it is the last component.
func (w *walk) follow(n *node, trailing bool) (string, error) {
	w.winding = true
	if w.links++; w.links > maxLinks {
		return "", syscall.ELOOP
	}
	if trailing && w.v.disk.conf().protectedSymlinks && !w.mayFollow(n) {
		return "", errAccess
	}
	w.v.disk.accessed(n)
	return n.target(), nil
}

// mayFollow is the rule of fs.protected_symlinks.
func (w *walk) mayFollow(n *node) bool {
	const shared = bitSticky | 0o002
	owner := n.owner()
	dir := w.dir.dir
	return owner == w.v.cred.uid || dir.mode&shared != shared || dir.uid == owner
}

// special gives the directory that a last component "/", "." or ".." names.
func (w *walk) special() (*node, error) {
	if w.kind == lastDotDot {
		return w.up(w.dir)
	}
	return w.dir, nil
}

// resolve finds the inode of a path. Unless err is set the caller calls
// release when it is done with the inode; until then its name stays what it is.
func (w *walk) resolve(path string, follow bool) (*node, error) {
	if err := w.parent(path); err != nil {
		return nil, err
	}
	wantDir := false
	for {
		if w.kind != lastName {
			return w.special()
		}
		if len(w.last) > maxName {
			return nil, syscall.ENAMETOOLONG
		}
		w.hold()
		n := w.dir.dir.get(w.v.disk.conf().fold, w.last)
		if w.slash {
			follow, wantDir = true, true
		}
		switch {
		case n == nil:
			w.remember(path, nil)
			w.release()
			return nil, syscall.ENOENT
		case follow && n.isLink():
			w.release()
			target, err := w.follow(n, true)
			if err != nil {
				return nil, err
			}
			if err := w.run(target); err != nil {
				return nil, err
			}
		case wantDir && !n.isDir():
			w.release()
			return nil, syscall.ENOTDIR
		default:
			w.remember(path, n)
			return n, nil
		}
	}
}

func (w *walk) hold() {
	if !w.excl {
		w.dir.dir.mu.Lock()
		w.held = w.dir
	}
}

func (w *walk) release() {
	if w.held != nil {
		w.held.dir.mu.Unlock()
		w.held = nil
	}
}

// lock takes the directory of the last component for a change of its entries.
func (w *walk) lock() {
	if !w.excl {
		w.dir.dir.mu.Lock()
		w.locked = w.dir
	}
}

func (w *walk) unlock() {
	if w.locked != nil {
		w.locked.dir.mu.Unlock()
		w.locked = nil
	}
}

// begin starts an operation: with the disk for itself, or beside others.
func (w *walk) begin(v *FS, excl bool) {
	w.v, w.excl = v, excl
	if excl {
		v.disk.lock()
		w.gen = v.disk.gen.Load() - 1
	} else {
		w.shard = v.disk.mu.RLock()
		w.gen = v.disk.gen.Load()
	}
}

// end closes an operation.
func (w *walk) end() {
	w.release()
	w.unlock()
	if w.excl {
		w.v.disk.unlock()
	} else {
		w.v.disk.mu.RUnlock(w.shard)
	}
}
