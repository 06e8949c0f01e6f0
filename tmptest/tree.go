package tmptest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// entry is one name below a directory.
type entry struct {
	rel  string // with slashes, relative to the directory
	info fs.FileInfo
	stat fileStat
}

// tree is what a directory holds, seen through an os.Root: no link is
// followed, and no other file system is entered.
type tree struct {
	base    string // the directory's path without links
	root    *os.Root
	dev     uint64
	unlock  bool // give directories their owner bits back where they bar the walk
	entries []entry
	found   []Violation
}

// readTree lists all that is below root. What could not be read is named as
// unchecked.
func readTree(root *os.Root, base string, dev uint64, unlock bool) *tree {
	t := &tree{base: base, root: root, dev: dev, unlock: unlock}
	t.read(".")
	slices.SortFunc(t.entries, func(a, b entry) int { return cmp.Compare(a.rel, b.rel) })
	return t
}

// read lists one directory and then those below it. Directories are opened one
// at a time, so that depth costs no descriptors.
func (t *tree) read(rel string) {
	entries, err := t.list(rel)
	if errors.Is(err, fs.ErrPermission) && t.unlock {
		if err = unlock(t.root, t.base, rel); err == nil {
			entries, err = t.list(rel)
		}
	}
	if errors.Is(err, fs.ErrNotExist) && rel != "." {
		return // removed meanwhile
	}
	if err != nil {
		t.found = append(t.found, unchecked(rules.C05, t.abs(rel), "the directory cannot be read: "+err.Error()))
	}
	t.entries = append(t.entries, entries...)
	for _, e := range entries {
		if e.info.IsDir() && e.stat.dev == t.dev {
			t.read(e.rel)
		}
	}
}

func (t *tree) list(rel string) ([]entry, error) {
	dir := t.root
	if rel != "." {
		var err error
		if dir, err = t.root.OpenRoot(rel); err != nil {
			return nil, reason(err)
		}
		defer dir.Close()
	}
	f, err := dir.Open(".")
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, reason(err)
	}
	var entries []entry
	for _, name := range names {
		info, err := dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return entries, reason(err)
		}
		entries = append(entries, entry{rel: path.Join(rel, name), info: info, stat: statOf(info)})
	}
	return entries, nil
}

// reason is the error without the path, which the caller names.
func reason(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// unlock gives a directory its owner bits back. Root cannot do that to itself:
// without search permission it does not even find ".".
func unlock(root *os.Root, base, rel string) error {
	if rel == "." {
		return os.Chmod(base, 0o700)
	}
	return root.Chmod(rel, 0o700)
}

func (t *tree) abs(rel string) string { return filepath.Join(t.base, filepath.FromSlash(rel)) }

// names is the set of entries.
func (t *tree) names() map[string]bool {
	all := make(map[string]bool, len(t.entries))
	for _, e := range t.entries {
		all[e.rel] = true
	}
	return all
}

// check judges each entry: C04, C05, C15, U05.
func (t *tree) check() []Violation {
	found := t.found
	add := func(e entry, r rules.Rule, format string, args ...any) {
		found = append(found, Violation{Rule: r, Path: t.abs(e.rel), Detail: fmt.Sprintf(format, args...)})
	}
	names := make(map[fileStat]uint64) // names of one inode in the tree
	for _, e := range t.entries {
		names[e.stat]++
	}
	reached := t.reached()
	for _, e := range t.entries {
		mode := e.info.Mode()
		if mode&fs.ModeSymlink != 0 {
			if where, out := t.leaves(e.rel); out {
				add(e, rules.U05, "is a symbolic link to %q", where)
			}
		} else if hasOwners {
			elsewhere := mode.IsRegular() && e.stat.nlink > names[e.stat] // under a name that is not in this tree
			if accessBits(mode) != 0 && (reached[path.Dir(e.rel)] || elsewhere) {
				add(e, rules.C05, "has mode %s", modeText(mode))
			}
			if set := mode & (fs.ModeSetuid | fs.ModeSetgid); set != 0 {
				add(e, rules.C04, "has mode %s", modeText(mode))
			}
		}
		if !hasOwners {
			continue
		}
		if uid := os.Geteuid(); e.stat.uid != uid {
			add(e, rules.C15, "belongs to user %d, not to %d", e.stat.uid, uid)
		}
		if in := names[e.stat]; mode.IsRegular() && e.stat.nlink > in {
			add(e, rules.C15, "has %d names, %d of them here", e.stat.nlink, in)
		}
		if mode&fs.ModeDevice != 0 {
			add(e, rules.C15, "is a device")
		}
		if e.info.IsDir() && e.stat.dev != t.dev {
			add(e, rules.U05, "is a mount point of another file system")
		}
	}
	return found
}

// reached has the directories of the tree in which group or others can come to
// a name: those that they may search, as all above them up to the tree's own. In
// a directory of mode 0700 nobody else reaches what is below it, whatever its
// modes are.
func (t *tree) reached() map[string]bool {
	base, err := t.root.Stat(".")
	all := map[string]bool{".": err != nil || !hasOwners || base.Mode().Perm()&0o011 != 0}
	for _, e := range t.entries { // sorted: a directory comes before what is in it
		if e.info.IsDir() {
			all[e.rel] = all[path.Dir(e.rel)] && e.info.Mode().Perm()&0o011 != 0
		}
	}
	return all
}

// accessBits are the permissions of group and others. Of a socket only the
// write bits count, which connect(2) needs: net.Listen makes it 0755.
func accessBits(mode fs.FileMode) fs.FileMode {
	if mode&fs.ModeSocket != 0 {
		return mode.Perm() & sharedBits
	}
	return mode.Perm() & 0o077
}

// leaves reports whether a symbolic link leads out of the tree, and its target.
func (t *tree) leaves(rel string) (target string, out bool) {
	target, err := t.root.Readlink(filepath.FromSlash(rel))
	if err != nil {
		return "", false
	}
	if filepath.IsAbs(target) {
		return target, !below(t.base, filepath.Clean(target))
	}
	_, err = t.root.Stat(filepath.FromSlash(rel))
	return target, err != nil && strings.Contains(err.Error(), escapes)
}

// escapes is how os.Root names a path that leads out of it. The error has no
// exported value; a test fails if the text changes.
const escapes = "path escapes"

// below reports whether path is base or below it.
func below(base, path string) bool {
	return path == base || strings.HasPrefix(path, strings.TrimSuffix(base, string(filepath.Separator))+string(filepath.Separator))
}

// late compares two listings of one tree: what is new or has changed in the
// second was written in between (R14).
func (t *tree) late(second *tree) []Violation {
	old := make(map[string]entry, len(t.entries))
	for _, e := range t.entries {
		old[e.rel] = e
	}
	var found []Violation
	for _, e := range second.entries {
		before, ok := old[e.rel]
		var detail string
		switch {
		case !ok || before.stat.ino != e.stat.ino:
			detail = "was made while the directory was being checked"
		case !e.info.IsDir() && (before.info.Size() != e.info.Size() || !before.info.ModTime().Equal(e.info.ModTime())):
			detail = "was written while the directory was being checked"
		default:
			continue
		}
		found = append(found, Violation{Rule: rules.R14, Path: t.abs(e.rel), Detail: detail})
	}
	return found
}
