package attack

import (
	"io/fs"
	"strings"

	"github.com/tmpproof/tmpproof/internal/sweep"
)

// The attacker and the oracles see the disk through this interface, in names
// relative to the scene's root. The kernel's disk is behind it here; the fake
// one can be.

// id is an object's identity. Numbers of removed objects are used again at
// once, so that the birth time belongs to it.
type id struct {
	dev, ino uint64
	born     int64
}

// node is what a stat of one name says. The zero node is an absent name.
type node struct {
	id    id
	typ   fs.FileMode // type bits only
	perm  uint32      // 07777
	uid   uint32
	gid   uint32
	nlink uint32
	size  int64
	mtime int64  // ns
	ctime int64  // ns
	flags uint64 // inode flags (chattr) that stat tells
}

// touch is what was done to an object.
type touch uint8

const (
	wasRead    touch = 1 << iota // its content or, of a directory, its names
	wasWritten                   // its content or size, to whatever value
	wasSet                       // mode, owner, times, extended attributes or number of links, likewise
)

func (n node) exists() bool  { return n.id != id{} }
func (n node) isDir() bool   { return n.exists() && n.typ == fs.ModeDir }
func (n node) isLink() bool  { return n.typ == fs.ModeSymlink }
func (n node) regular() bool { return n.exists() && n.typ == 0 }

// kindName is what a report calls a node.
func (n node) kindName() string {
	switch {
	case !n.exists():
		return "nothing"
	case n.isDir():
		return "directory"
	case n.isLink():
		return "symlink"
	case n.typ&fs.ModeNamedPipe != 0:
		return "FIFO"
	case n.typ&fs.ModeSocket != 0:
		return "socket"
	case n.regular():
		return "file"
	}
	return "node"
}

// flagsExtra is the key of the inode flags among the extras.
const flagsExtra = "inode flags"

// disk is what the attacker acts on. Names are relative to the scene's root;
// no operation follows a symbolic link at the end of a name.
type disk interface {
	stat(name string) node
	list(name string) ([]string, error)
	// blocks reads a file, whatever its size. It gives each block of blockSize, in order; one that is all zeros may
	// be left out.
	blocks(name string, f func(at int64, b []byte)) (size int64, err error)
	symlink(target, name string) error
	link(old, name string) error
	mkdir(name string, perm uint32) error
	mkfifo(name string) error
	mksock(name string) error
	write(name, data string, perm uint32) error // creates, or rewrites in place
	rename(old, name string) error
	exchange(a, b string) error
	// watch begins to note what others than the attacker do to a file or
	// directory, and touched tells it, also when the object is gone. watchAnew
	// forgets what was done. unheard says why not all is known, "" when it is.
	watch(name string, n node) error
	touched(o id) touch
	setTouched(o id, t touch)
	watchAnew()
	unheard() string
	// listen begins to read a FIFO, and lock takes the locks of a file or
	// directory, both for the run at hand. heard is how much came through a
	// FIFO or a socket, and whether an answer that was sent back was read.
	listen(name string) error
	lock(name string) error
	heard(o id) (n int64, answered bool)
	// extras are what the kernel tells of an object besides its node: extended
	// attributes, with access control lists and capabilities, and inode flags.
	extras(name string) map[string]string
	age(name string) error  // sets both times to long ago
	abs(name string) string // as the victim names it
}

// The parts of a scene.
const (
	dirShared = sweep.SharedDir // Scene.Dir
	dirHome   = "home"          // Scene.Home
	dirVault  = "vault"         // canaries: another user's files
	dirAttic  = "attic"         // the attacker's own place
)

const (
	vaultFile   = dirVault + "/file"
	vaultDir    = dirVault + "/dir"
	vaultKept   = vaultDir + "/kept"
	vaultAbsent = dirVault + "/absent" // must never appear
	vaultMirror = dirVault + "/mirror" // a directory that has the name the victim will use
	atticFile   = dirAttic + "/file"
	atticDir    = dirAttic + "/dir"
)

// The attacker's files are programs too, and may be run: code that executes
// what it finds at a name must meet one that works.
const (
	canaryData   = "the canary's content\n"
	attackerData = "#!/bin/sh\n# the attacker's content\n"
	attackerPerm = 0o777
)

// oldTime is what the attacker's entries and the canaries bear, in ns: long
// ago, so that any use shows.
const oldTime = int64(1_000_000_000) * 1e9

// under says that name is dir or below it.
func under(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir) && len(name) > len(dir) && name[len(dir)] == '/'
}

// pretty is a scene name as reports show it.
func pretty(name string) string { return printable(name) }
