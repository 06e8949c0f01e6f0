package fsfake

import (
	"io/fs"
	"slices"
)

// User is who an operation is done as. UID 0 is root, with all the file system
// capabilities of Linux (CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_CHOWN, CAP_FSETID,
// CAP_MKNOD); every other user has none unless Privileged. Umask is taken off the mode of every
// object that the user creates; the zero value takes nothing off.
type User struct {
	UID, GID   int
	Groups     []int // supplementary groups
	Umask      fs.FileMode
	Privileged bool // has root's capabilities whatever the UID is
}

// cred is a User in the kernel's types.
type cred struct {
	uid, gid uint32
	groups   []uint32
	root     bool
}

func newCred(u User) cred {
	c := cred{uid: uint32(u.UID), gid: uint32(u.GID), root: u.UID == 0 || u.Privileged}
	for _, g := range u.Groups {
		c.groups = append(c.groups, uint32(g))
	}
	return c
}

func (c *cred) inGroup(gid uint32) bool {
	return c.gid == gid || slices.Contains(c.groups, gid)
}

// owns reports whether the user may do what only an owner may (CAP_FOWNER).
func (c *cred) owns(uid uint32) bool { return c.root || c.uid == uid }

// Wanted access, the low bits of a mode class.
const (
	mayExec  = 1
	mayWrite = 2
	mayRead  = 4
)

// may is generic_permission of the kernel: the owner's class, or else the
// group's, or else the others', never a mix of them; then root's capabilities.
func (c *cred) may(mode, uid, gid, want uint32) error {
	bits := mode
	switch {
	case c.uid == uid:
		bits >>= 6
	case (bits>>3^bits)&want != 0 && c.inGroup(gid):
		bits >>= 3
	}
	if bits&want == want {
		return nil
	}
	if c.root && (want&mayExec == 0 || mode&typeMask == typeDir || mode&0o111 != 0) {
		return nil
	}
	return errAccess
}

// keepsSetgid reports whether the user may leave a set-group-ID bit on an
// object of this group (CAP_FSETID).
func (c *cred) keepsSetgid(gid uint32) bool { return c.root || c.inGroup(gid) }

// droppedByWrite returns the set-id bits that a write by this user takes off.
func (c *cred) droppedByWrite(mode, gid uint32) uint32 {
	if c.root || mode&typeMask != typeReg {
		return 0
	}
	return mode&bitSetuid | c.droppedSetgid(mode, gid)
}

// droppedSetgid gives the set-group-ID bit if a change of owner or content
// takes it off: always from a file that its group may execute.
func (c *cred) droppedSetgid(mode, gid uint32) uint32 {
	if mode&bitSetgid != 0 && (mode&0o010 != 0 || !c.keepsSetgid(gid)) {
		return bitSetgid
	}
	return 0
}
