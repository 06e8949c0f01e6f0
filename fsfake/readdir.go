package fsfake

import (
	"io"
	"io/fs"
	"syscall"
)

// Stat is os.File's: of the open file, whatever its name now is.
func (f *File) Stat() (fs.FileInfo, error) {
	var a *attr
	do := func() error {
		h, shard, err := f.begin()
		if err != nil {
			return err
		}
		defer f.end(h, shard)
		if a = h.node.attr.Load(); h.node.isDir() {
			a = h.node.stat()
		} else {
			a.share()
		}
		return nil
	}
	var err error
	if o := f.v.observed(); o != nil {
		err = o.run(&Op{Name: "fstat", FS: f.v, File: f, Path: f.name}, do)
	} else {
		err = do()
	}
	if err != nil {
		return nil, f.fail("stat", err)
	}
	return &FileInfo{base(f.name), a}, nil
}

// Readdir lists the directory from the handle's position, in the order in which
// the names were made: all entries for n <= 0, otherwise up to n, and io.EOF
// when none are left. A name that is added or removed meanwhile disturbs no
// other.
//
// It asks for the attributes of each entry, as package os does, and fails with
// EACCES where the user may list the directory but not search it.
func (f *File) Readdir(n int) ([]fs.FileInfo, error) {
	if !f.v.beneath && f.v.observed() != nil {
		return f.readdirOneByOne(n)
	}
	var list []fs.FileInfo
	var denied error
	err := f.list(n, func(dir *node, entries []dirent, count int) {
		if denied = f.maySearch(dir, count); denied != nil {
			return
		}
		list = make([]fs.FileInfo, 0, count)
		infos := make([]FileInfo, count)
		for i := range entries {
			if e := &entries[i]; e.node != nil && len(list) < count {
				fi := &infos[len(list)]
				fi.name, fi.a = e.name, e.node.stat()
				list = append(list, fi)
			}
		}
	})
	if err == nil {
		err = f.fail("fstatat", denied)
	}
	return list, err
}

// readdirOneByOne is Readdir where somebody sees the calls, or comes between
// them: an lstat of each entry, as package os makes it. What is gone by then is
// left out.
func (f *File) readdirOneByOne(n int) (list []fs.FileInfo, err error) {
	names, err := f.Readdirnames(n)
	list = make([]fs.FileInfo, 0, len(names))
	for _, name := range names {
		a, serr := f.v.lstatAt(f, name)
		switch {
		case serr == syscall.ENOENT:
		case serr != nil:
			return list, f.fail("fstatat", serr)
		default:
			list = append(list, &FileInfo{name, a})
		}
	}
	return list, err
}

// maySearch reports, as an error, that the user may not look up the entries of
// the directory. Its lock is held.
func (f *File) maySearch(dir *node, entries int) error {
	if entries == 0 {
		return nil
	}
	return f.v.cred.may(dir.dir.mode, dir.dir.uid, dir.dir.gid, mayExec)
}

// Readdirnames is Readdir for the names alone.
func (f *File) Readdirnames(n int) ([]string, error) {
	var list []string
	err := f.list(n, func(_ *node, entries []dirent, count int) {
		list = make([]string, 0, count)
		for i := range entries {
			if e := &entries[i]; e.node != nil && len(list) < count {
				list = append(list, e.name)
			}
		}
	})
	return list, err
}

// ReadDir is os.File's: names and types. Info of an entry is a call of its own
// (lstat of the directory's name as it was opened, and the entry's), which sees
// what is there by then; but not in a view that Root made, which asks at once.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	var denied error
	err := f.list(n, func(dir *node, entries []dirent, count int) {
		if f.v.beneath {
			if denied = f.maySearch(dir, count); denied != nil {
				return
			}
		}
		list = make([]fs.DirEntry, 0, count)
		for i := range entries {
			e := &entries[i]
			switch {
			case e.node == nil || len(list) == count:
			case f.v.beneath:
				list = append(list, &FileInfo{e.name, e.node.stat()})
			default:
				list = append(list, &dirEntry{f, e.name, fileMode(uint32(e.node.typ)).Type()})
			}
		}
	})
	if err == nil {
		err = f.fail("fstatat", denied)
	}
	if list == nil {
		list = []fs.DirEntry{}
	}
	return list, err
}

// dirEntry is an entry as a directory lists it.
type dirEntry struct {
	dir  *File
	name string
	typ  fs.FileMode
}

func (e *dirEntry) Name() string               { return e.name }
func (e *dirEntry) IsDir() bool                { return e.typ.IsDir() }
func (e *dirEntry) Type() fs.FileMode          { return e.typ }
func (e *dirEntry) Info() (fs.FileInfo, error) { return e.dir.v.Lstat(e.dir.name + "/" + e.name) }
func (e *dirEntry) String() string             { return fs.FormatDirEntry(e) }

// list gives the next n entries to take, which sees holes among them.
func (f *File) list(n int, take func(dir *node, entries []dirent, count int)) error {
	var err error
	if o := f.v.observed(); o != nil {
		op := &Op{Name: "readdir", FS: f.v, File: f, Path: f.name, Offset: int64(n)}
		err = o.run(op, func() (err error) {
			op.N, err = f.getdents(n, take)
			return err
		})
	} else {
		_, err = f.getdents(n, take)
	}
	if err == io.EOF {
		if n <= 0 {
			return nil
		}
		return err
	}
	return f.fail("readdirent", err)
}

func (f *File) getdents(n int, take func(dir *node, entries []dirent, count int)) (int, error) {
	h, shard, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer f.end(h, shard)
	node := h.node
	if err := h.canList(); err != nil {
		return 0, err
	}
	count, err := h.nextEntries(n, take)
	if err != nil {
		return 0, err
	}
	if h.access&quietRead == 0 {
		f.v.disk.accessed(node)
	}
	if count == 0 {
		return 0, io.EOF
	}
	return count, nil
}

// nextEntries gives the next n entries to take, and counts them.
func (h *handle) nextEntries(n int, take func(dir *node, entries []dirent, count int)) (int, error) {
	node := h.node
	node.lock()
	defer node.unlock()
	if node.dir.dead {
		return 0, syscall.ENOENT
	}
	count := node.dir.live
	entries := node.dir.from(h.next)
	if h.next > 0 || n > 0 {
		count = 0
		for i := range entries {
			if entries[i].node != nil {
				count++
			}
			if n > 0 && count == n {
				entries = entries[:i+1]
				break
			}
		}
	}
	take(node, entries, count)
	if len(entries) > 0 {
		h.next = entries[len(entries)-1].seq
	}
	return count, nil
}

// canList tells whether the handle is of a directory that can be listed.
func (h *handle) canList() error {
	switch {
	case h.access&pathOnly != 0:
		return syscall.EBADF
	case !h.node.isDir():
		return syscall.ENOTDIR
	}
	return nil
}
