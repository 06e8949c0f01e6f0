package fsfake

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// The operations of package os that are more than one system call. They are
// made of the same calls in the same order, so that a hook stands between them.

// Remove is os.Remove: unlink, and if that fails rmdir.
func (v *FS) Remove(name string) error {
	err := v.unlinkRaw(name)
	if err == nil {
		return nil
	}
	err1 := v.rmdirRaw(name)
	if err1 == nil {
		return nil
	}
	if err1 != syscall.ENOTDIR {
		err = err1
	}
	return pathError("remove", name, err)
}

// Rename is os.Rename: a new name that is a directory is refused with EEXIST,
// even if it is empty. See Renameat2 for the system call.
func (v *FS) Rename(oldname, newname string) error {
	if id, err := v.identify("lstat", newname, false); err == nil && id.typ == typeDir {
		old, err := v.identify("lstat", oldname, false)
		switch {
		case err != nil:
			return linkError("rename", oldname, newname, err)
		case oldname == newname || id != old:
			return linkError("rename", oldname, newname, errExist)
		}
	}
	return linkError("rename", oldname, newname, v.renameRaw(oldname, newname, 0))
}

// MkdirAll is os.MkdirAll.
func (v *FS) MkdirAll(path string, perm fs.FileMode) error {
	id, err := v.identify("stat", path, true)
	if err == nil {
		if id.typ == typeDir {
			return nil
		}
		return pathError("mkdir", path, syscall.ENOTDIR)
	}
	p := local(path)
	if v.observed() == nil && v.mkdirTree(p, permBits(perm)) {
		return nil
	}
	end := len(p)
	for end > 0 && p[end-1] == '/' {
		end--
	}
	for end > 0 && p[end-1] != '/' {
		end--
	}
	if end > 1 {
		if err := v.MkdirAll(p[:end-1], perm); err != nil {
			return err
		}
	}
	err = v.mkdirRaw(path, perm)
	if err != nil {
		// Handles "foo/." as well, which then exists.
		if id, err1 := v.identify("lstat", path, false); err1 == nil && id.typ == typeDir {
			return nil
		}
	}
	return pathError("mkdir", path, err)
}

// mkdirTree makes what is missing of a path of plain directories, in one walk and
// one directory after the other. Where it meets anything else it stops and reports
// false, and what the error is remains to be seen.
func (v *FS) mkdirTree(path string, mode uint32) bool {
	if v.beneath || path == "" || len(path) >= maxPath || hasNUL(path) {
		return false
	}
	var w walk
	w.begin(v, false)
	defer w.end()
	d := v.disk
	conf := d.conf()
	w.dir = v.root
	for rest := strings.TrimLeft(path, "/"); rest != ""; {
		name, more, _ := strings.Cut(rest, "/")
		rest = strings.TrimLeft(more, "/")
		dir := w.dir.dir
		if name == "." || name == ".." || len(name) > maxName || v.cred.may(dir.mode, dir.uid, dir.gid, mayExec) != nil {
			return false
		}
		w.lock()
		n := dir.get(conf.fold, name)
		if n == nil {
			if conf.readOnly || w.mayCreate() != nil || !d.roomForLink(w.dir) {
				return false
			}
			var err error
			n, err = d.create(&v.cred, w.dir, clip(name, path), typeDir|v.newMode(w.dir, mode)&(0o777|bitSticky), 0, "")
			if err != nil {
				return false
			}
		}
		w.unlock()
		if !n.isDir() {
			return false
		}
		w.dir = n
	}
	return true
}

// RemoveAll is os.RemoveAll. A path that does not exist is no error; a path that
// ends in "." is EINVAL.
func (v *FS) RemoveAll(name string) error {
	if name == "" {
		return nil
	}
	path := local(name)
	if n := len(path); path == "." || n >= 2 && path[n-2:] == "/." {
		return pathError("RemoveAll", name, syscall.EINVAL)
	}
	if v.observed() == nil {
		if v.removeTree(path) {
			return nil
		}
	}
	err := v.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir, base := splitPath(path)
	parent, err := v.openFile(dir, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	err = v.removeAllFrom(parent, base)
	if pe, ok := err.(*fs.PathError); ok {
		pe.Path = dir + "/" + pe.Path
	}
	return err
}

// splitPath gives the directory in which package os opens the last name of a
// path, and that name: ".." and "/" are names here too.
func splitPath(path string) (dir, base string) {
	for len(path) > 1 && path[0] == '/' && path[1] == '/' {
		path = path[1:]
	}
	for len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	switch i := strings.LastIndexByte(path, '/'); {
	case path == "/", i < 0:
		return ".", path
	case i == 0:
		return "/", path[1:]
	default:
		return path[:i], path[i+1:]
	}
}

// removeAllFrom removes what a name is in an open directory, and what is below
// it, entry by entry, and returns the first error. No path is walked twice: who
// moves a directory meanwhile does not lead the removal elsewhere.
func (v *FS) removeAllFrom(parent *File, name string) error {
	err := v.unlinkAt(parent, name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != syscall.EISDIR && err != errPerm && err != errAccess {
		return pathError("unlinkat", name, err)
	}
	done, failed := v.removeEntries(parent, name, err)
	if done {
		return failed
	}
	err = v.rmdirAt(parent, name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if failed != nil {
		return failed
	}
	return pathError("unlinkat", name, err)
}

// removeAtOnce is how many names package os lists before it removes them.
const removeAtOnce = 1024

// removeEntries empties a directory that could not be unlinked, and returns the
// first error. It is done if the directory is not to be removed after that.
func (v *FS) removeEntries(parent *File, name string, unlinkErr error) (done bool, first error) {
	for {
		dir, err := v.openDirAt(parent, name)
		if err == syscall.ENOTDIR { // a file, or a link
			if _, notLink := v.readlinkAt(parent, name); notLink != nil {
				return true, pathError("unlinkat", name, unlinkErr)
			}
			err = unlinkErr
		}
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return false, cmp.Or(first, pathError("openfdat", name, err))
		}
		count, done, err := v.removeListed(dir, name)
		dir.Close()
		first = cmp.Or(first, err)
		if done {
			return true, err
		}
		if count < removeAtOnce {
			return false, first
		}
	}
}

// removeListed removes what an open directory lists, until some of a list is
// gone, and returns how long that was and the first error.
func (v *FS) removeListed(dir *File, name string) (count int, done bool, first error) {
	for {
		names, err := dir.Readdirnames(removeAtOnce)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return 0, true, nil
		case err != nil && err != io.EOF:
			return 0, true, pathError("readdirnames", name, pathError("readdirent", name, errors.Unwrap(err)))
		}
		kept := 0
		for _, entry := range names {
			err := v.removeAllFrom(dir, entry)
			if err == nil {
				continue
			}
			if pe, ok := err.(*fs.PathError); ok {
				pe.Path = name + "/" + pe.Path
			}
			kept++
			first = cmp.Or(first, err)
		}
		if kept < removeAtOnce {
			return len(names), false, first
		}
	}
}

// removeTree removes a tree at once, when nobody watches and the user may
// remove all of it; otherwise it does nothing and reports false.
func (v *FS) removeTree(path string) bool {
	var w walk
	w.begin(v, true)
	defer w.end()
	if w.parent(path) != nil || w.kind != lastName || v.disk.conf().readOnly {
		return false
	}
	i := w.dir.dir.find(v.disk.conf().fold, w.last)
	if i < 0 {
		return false
	}
	n := w.dir.dir.entries[i].node
	if !n.isDir() || w.mayDelete(n, true) != nil || !v.mayEmpty(n) {
		return false
	}
	now := v.disk.now()
	v.disk.moved = true
	v.disk.empty(n, now, true)
	v.disk.drop(w.dir, i, now)
	return true
}

// mayEmpty tells whether the user may remove everything below a directory.
func (v *FS) mayEmpty(n *node) bool {
	if n.dir.mount || n.dir.live > 0 && v.cred.may(n.dir.mode, n.dir.uid, n.dir.gid, mayRead|mayWrite|mayExec) != nil {
		return false
	}
	sticky := n.dir.mode&bitSticky != 0 && n.dir.uid != v.cred.uid && !v.cred.root
	for i := range n.dir.entries {
		e := n.dir.entries[i].node
		if e != nil && (sticky && e.attr.Load().uid != v.cred.uid || e.isDir() && !v.mayEmpty(e)) {
			return false
		}
	}
	return true
}

// empty takes everything out of a directory. listed says that the directories are
// read for that, which sets their access times. The caller has the disk alone,
// and says that it moved.
func (d *Disk) empty(n *node, now stamp, listed bool) {
	if n.dir.live == 0 {
		return
	}
	if listed {
		d.accessed(n)
	}
	a := d.edit(n)
	a.touch(now)
	a.size, a.nlink = 2*entrySize, 2
	h := d.history()
	for i := range n.dir.entries {
		e := &n.dir.entries[i]
		if e.node == nil {
			continue
		}
		if e.node.isDir() {
			if listed && e.node.dir.live == 0 {
				d.accessed(e.node)
			}
			d.empty(e.node, now, listed)
		}
		if h != nil {
			h.add(change{kind: changedEntry, node: n, name: e.name, child: e.node, seq: e.seq})
		}
		d.unlinkedLocking(e.node, now)
	}
	n.dir.entries, n.dir.slots, n.dir.live = nil, nil, 0
}
