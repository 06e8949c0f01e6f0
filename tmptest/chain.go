package tmptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// maxLinks is MAX_SYMLINKS of FIO15-C.
const maxLinks = 5

// sharedBits are the bits of FIO15-C: written by group or others.
const sharedBits = 0o022

// chain is the walk of FIO15-C over a path: each component from the root to
// the leaf, links resolved by hand, so that the path that was checked is the
// path that is used afterwards.
type chain struct {
	literal bool
	uid     int

	path     string // the path to walk, for messages
	resolved string // where the walk is; in the end the path without links
	links    int
	seen     []string
	found    []Violation
}

// walkChain walks an absolute path that names a directory. It returns the path
// without links and E01, E03, E04 and E05. A component that is missing, no
// directory, or cannot be looked at ends the walk with E01; the path is then
// empty.
func walkChain(path string, literal bool) (resolved string, found []Violation) {
	c := &chain{literal: literal, uid: os.Geteuid(), path: path}
	if !filepath.IsAbs(path) {
		return "", []Violation{{Rule: rules.E01, Path: path, Detail: "is not an absolute path"}}
	}
	if !hasOwners {
		return c.plain()
	}
	ok := c.walk(filepath.Clean(path))
	if !ok {
		return "", c.found
	}
	return c.resolved, c.found
}

// plain is the walk on a system without owners and mode bits.
func (c *chain) plain() (string, []Violation) {
	resolved, err := filepath.EvalSymlinks(c.path)
	if err == nil {
		var info fs.FileInfo
		if info, err = os.Stat(resolved); err == nil && !info.IsDir() {
			err = errors.New("is not a directory")
		}
	}
	if err != nil {
		c.stop(c.path, err)
		return "", c.found
	}
	return resolved, c.found
}

func (c *chain) walk(path string) bool {
	rest := strings.Split(path, "/")
	c.resolved = "/"
	if info, ok := c.look("/"); !ok || !c.check("/", info) {
		return false
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			c.resolved = filepath.Dir(c.resolved)
			continue
		}
		next := filepath.Join(c.resolved, name)
		info, ok := c.look(next)
		if !ok {
			return false
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, ok := c.link(next, info)
			if !ok {
				return false
			}
			if filepath.IsAbs(target) {
				c.resolved = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
			continue
		}
		if !c.check(next, info) {
			return false
		}
		c.resolved = next
	}
	return true
}

func (c *chain) look(path string) (fs.FileInfo, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		c.stop(path, err)
	}
	return info, err == nil
}

// link reads a symbolic link and judges it.
func (c *chain) link(path string, info fs.FileInfo) (target string, ok bool) {
	target, err := os.Readlink(path)
	if err != nil {
		c.stop(path, err)
		return "", false
	}
	c.links++
	switch uid := statOf(info).uid; {
	case c.links > maxLinks:
		c.add(rules.E05, path, fmt.Sprintf("is link number %d", c.links))
		return "", false // a loop, or a maze
	case c.literal:
		c.add(rules.E05, path, fmt.Sprintf("is a symbolic link to %q", target))
	case !c.trusted(uid):
		c.add(rules.E05, path, fmt.Sprintf("is a symbolic link to %q of user %d", target, uid))
	}
	return target, true
}

// check judges a component that is no link.
func (c *chain) check(path string, info fs.FileInfo) bool {
	if !info.IsDir() {
		c.stop(path, errors.New("is not a directory"))
		return false
	}
	if slices.Contains(c.seen, path) {
		return true
	}
	c.seen = append(c.seen, path)
	if st := statOf(info); !c.trusted(st.uid) {
		c.add(rules.E03, path, fmt.Sprintf("belongs to user %d, not to %d or root", st.uid, c.uid))
	}
	sticky := info.Mode()&fs.ModeSticky != 0
	if info.Mode().Perm()&sharedBits != 0 && (c.literal || !sticky) {
		c.add(rules.E04, path, "has mode "+modeText(info.Mode()))
	}
	return true
}

func (c *chain) trusted(uid int) bool { return uid == 0 || uid == c.uid }

func (c *chain) stop(path string, err error) {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	detail := err.Error()
	if path != c.path {
		detail = fmt.Sprintf("%q: %s", path, detail)
	}
	c.found = append(c.found, Violation{Rule: rules.E01, Path: c.path, Detail: detail})
}

func (c *chain) add(r rules.Rule, path, detail string) {
	c.found = append(c.found, Violation{Rule: r, Path: path, Detail: detail})
}

// modeText is a mode as chmod takes it: 0700, 1777.
func modeText(m fs.FileMode) string {
	n := uint32(m.Perm())
	for bit, octal := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			n |= octal
		}
	}
	return fmt.Sprintf("%04o", n)
}
