package hunt

import (
	"io/fs"
	"strings"
)

// Ground is a disk with a scene on it: the shared directory, another user's
// files, and the attacker's own place. Names are relative to the scene's root,
// and no call follows a link at the end of one.
type Ground interface {
	// Stage makes the scene on an empty disk.
	Stage(names []string, unsticky bool, asked ...found) error
	// Reset makes it anew. touched says that another user's files are not what
	// they were; rebuilt, that they are other objects than before.
	Reset(touched bool) (rebuilt bool, err error)
	// System is the disk as the victim sees it. before is called before each of
	// its calls, and after when one has run; read is the object that it has read
	// or listed.
	System(before func(Call), after func(read ID)) System

	Look(name string) Thing
	List(name string) []string
	Read(name string) string

	// What the attacker does, and what is made for the scene: neither is
	// judged here.
	Symlink(target, name string) error
	Link(old, name string) error
	File(name, data string, perm uint32) error
	Mkdir(name string, perm uint32) error
	Move(old, name string, exchange bool) error
	// Own tells that what is at a name is the attacker's, for the victim's
	// checks.
	Own(name string) error
	Age(name string) error
}

// Call is one call of the victim's.
type Call struct {
	Name  string
	Paths []string // that it looks up, relative to the scene; none if it works on what is open
}

// ID is an object.
type ID struct {
	Dev, Ino uint64
	Born     int64
}

// Thing is what stat says of a name; without an ID there is nothing.
type Thing struct {
	ID       ID
	Type     fs.FileMode
	Perm     uint32
	UID, GID uint32
	Size     int64
	Changed  int64  // mtime, ns
	Links    uint64 // of what is no directory; what the attacker does to them is no change
	More     string // attributes, and where a link leads
}

func (t Thing) there() bool { return t.ID != ID{} }

// Parts of a scene.
const (
	shared = "dir"
	vault  = "vault"
	attic  = "attic"
)

const (
	canaryData   = "the canary's content\n"
	attackerData = "#!/bin/sh\n# the attacker's content\necho attacker\n"
)

// stage makes the scene on an empty ground, for programs that use these last
// names.
// asked is what else another user has.
func stage(g Ground, names []string, unsticky bool, asked []found) error {
	mode := uint32(0o1777)
	if unsticky {
		mode = 0o777
	}
	s := &stager{g: g}
	s.dir(shared, mode)
	s.dir(vault, 0o705)
	s.file(vault+"/file", canaryData, 0o604)
	s.dir(vault+"/lacks", 0o705)
	s.file(vault+"/lacks/kept", canaryData, 0o604)
	s.dir(vault+"/files", 0o705)
	s.dir(vault+"/dirs", 0o705)
	s.dir(vault+"/deep", 0o705)
	s.dir(vault+"/empty", 0o705)
	s.dir(attic, 0o755)
	s.file(attic+"/file", attackerData, 0o777)
	s.dir(attic+"/empty", 0o777)
	s.dir(attic+"/files", 0o777)
	s.dir(attic+"/links", 0o777)
	for _, n := range names {
		s.file(vault+"/files/"+n, canaryData, 0o604)
		s.dir(vault+"/dirs/"+n, 0o705)
		s.dir(vault+"/empty/"+n, 0o705)
		s.dir(vault+"/deep/"+n, 0o705)
		for _, m := range names {
			s.file(vault+"/dirs/"+n+"/"+m, canaryData, 0o604)
			s.dir(vault+"/deep/"+n+"/"+m, 0o705)
		}
		s.file(attic+"/files/"+n, attackerData, 0o777)
		s.try(g.Symlink(vault+"/file", attic+"/links/"+n))
	}
	s.asked(asked)
	for _, top := range []string{attic, vault} {
		for _, n := range tree(g, top) {
			if top == attic {
				s.try(g.Own(n))
			}
			s.try(g.Age(n))
		}
	}
	return s.err
}

// asked makes what a schedule wants of another user.
func (s *stager) asked(list []found) {
	for _, f := range list {
		at := vault
		for up := range strings.SplitSeq(parent(f.name), "/") {
			if at += "/" + up; up != "" && !s.g.Look(at).there() {
				s.dir(at, 0o705)
			}
		}
		switch at := vault + "/" + f.name; {
		case s.g.Look(at).there():
		case f.Type == fs.ModeDir:
			s.dir(at, 0o705)
		case f.Type == fs.ModeSymlink:
			s.try(s.g.Symlink(vault+"/file", at))
		default:
			s.file(at, canaryData, 0o604)
		}
	}
}

type stager struct {
	g   Ground
	err error
}

func (s *stager) try(err error) {
	if s.err == nil {
		s.err = err
	}
}
func (s *stager) dir(name string, perm uint32)        { s.try(s.g.Mkdir(name, perm)) }
func (s *stager) file(name, data string, perm uint32) { s.try(s.g.File(name, data, perm)) }

// found is an entry with its name.
type found struct {
	name string
	Thing
}

// walk is all below a directory, what is in one before itself.
func walk(g Ground, dir string) []found {
	var all []found
	for _, e := range g.List(dir) {
		f := found{dir + "/" + e, g.Look(dir + "/" + e)}
		if f.Type == fs.ModeDir {
			all = append(all, walk(g, f.name)...)
		}
		all = append(all, f)
	}
	return all
}

// tree are the names below a directory, and its own.
func tree(g Ground, dir string) []string {
	var all []string
	for _, f := range walk(g, dir) {
		all = append(all, f.name)
	}
	return append(all, dir)
}
