package hunt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// LinuxGround is a scene in a directory of the system's. It changes the working
// directory and the umask of its process.
type LinuxGround struct {
	root     string
	fd       int
	names    []string
	unsticky bool
	asked    []found
	own      map[ID]int // open, so that a number is not used again
	kept     []string   // the attacker's place as it was made
	known    map[string]known
}

// known is what was found out of a name when its stat was this.
type known struct {
	stat    unix.Stat_t
	thing   Thing
	content *string
}

// NewLinuxGround makes one in an empty directory.
func NewLinuxGround(root string) (*LinuxGround, error) {
	unix.Umask(0)
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	return &LinuxGround{root: root, fd: fd, own: map[ID]int{}}, nil
}

// Stage implements Ground.
func (g *LinuxGround) Stage(names []string, unsticky bool, asked ...found) error {
	g.names, g.unsticky, g.asked = names, unsticky, asked
	return g.build()
}

func (g *LinuxGround) build() error {
	for id, fd := range g.own {
		unix.Close(fd)
		delete(g.own, id)
	}
	g.known = map[string]known{}
	for _, top := range g.List(".") {
		if err := os.RemoveAll(g.root + "/" + top); err != nil {
			return err
		}
	}
	err := stage(g, g.names, g.unsticky, g.asked)
	g.kept = g.place()
	return err
}

// place is the attacker's place in words.
func (g *LinuxGround) place() []string {
	var all []string
	for _, f := range append(walk(g, attic), found{attic, g.Look(attic)}) {
		all = append(all, fmt.Sprint(f))
	}
	return all
}

// Reset implements Ground.
func (g *LinuxGround) Reset(touched bool) (rebuilt bool, err error) {
	if err := os.Chdir(g.root); err != nil {
		return false, err
	}
	unix.Umask(0)
	if touched || g.Look(shared).Type != fs.ModeDir || !slices.Equal(g.place(), g.kept) {
		return true, g.build()
	}
	for _, e := range g.List(shared) {
		if err := os.RemoveAll(g.root + "/" + shared + "/" + e); err != nil {
			return false, err
		}
	}
	for id, fd := range g.own { // those of the attic stay
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Nlink == 0 {
			unix.Close(fd)
			delete(g.own, id)
		}
	}
	return false, nil
}

// System implements Ground.
func (g *LinuxGround) System(before func(Call), after func(read ID)) System {
	return &linuxSystem{dir: g.root + "/" + shared, before: before, after: after,
		mine: func(st *unix.Stat_t) bool { return g.own[idOf(st)] == 0 }}
}

// Look implements Ground.
func (g *LinuxGround) Look(name string) Thing {
	k, _ := g.look(name)
	return k.thing
}

// look asks for attributes and the like only where stat says anything new.
func (g *LinuxGround) look(name string) (known, bool) {
	var st unix.Stat_t
	if unix.Fstatat(g.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return known{}, false
	}
	was := g.known[name]
	seen := st
	seen.Atim = was.stat.Atim // the looks are reads too
	if was.stat == seen && st.Ino != 0 {
		return was, true
	}
	t := Thing{ID: idOf(&st), Type: typeOf(st.Mode), Perm: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Size: st.Size, Changed: st.Mtim.Nano()}
	if t.Type == fs.ModeSymlink {
		t.More, _ = os.Readlink(g.root + "/" + name)
	} else {
		buf := make([]byte, 256)
		if n, err := unix.Llistxattr(g.root+"/"+name, buf); err == nil {
			t.More = string(buf[:n])
		}
	}
	if t.Type != 0 {
		t.Size = 0
	}
	if t.Type != fs.ModeDir {
		t.Links = uint64(st.Nlink)
	}
	k := known{st, t, nil}
	g.known[name] = k
	return k, true
}

// List implements Ground.
func (g *LinuxGround) List(name string) []string {
	fd, err := open(g.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}

// Read implements Ground.
func (g *LinuxGround) Read(name string) string {
	k, _ := g.look(name)
	if k.content != nil {
		return *k.content
	}
	fd, err := open(g.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, _ := unix.Read(fd, buf)
	text := string(buf[:max(n, 0)])
	k.content = &text
	g.known[name] = k
	return text
}

// Symlink implements Ground.
func (g *LinuxGround) Symlink(target, name string) error {
	return unix.Symlinkat(g.root+"/"+target, g.fd, name)
}

// Link implements Ground.
func (g *LinuxGround) Link(old, name string) error {
	return unix.Linkat(g.fd, old, g.fd, name, 0)
}

// File implements Ground.
func (g *LinuxGround) File(name, data string, perm uint32) error {
	fd, err := open(g.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(data))
	return errors.Join(err, unix.Close(fd))
}

// Mkdir implements Ground.
func (g *LinuxGround) Mkdir(name string, perm uint32) error {
	return unix.Mkdirat(g.fd, name, perm)
}

// Own implements Ground.
func (g *LinuxGround) Own(name string) error {
	fd, err := open(g.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	if old, is := g.own[idOf(&st)]; is {
		unix.Close(old)
	}
	g.own[idOf(&st)] = fd
	return nil
}

// Age implements Ground.
func (g *LinuxGround) Age(name string) error {
	ts := []unix.Timespec{{Sec: longAgo.Unix()}, {Sec: longAgo.Unix()}}
	return unix.UtimesNanoAt(g.fd, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// Move implements Ground.
func (g *LinuxGround) Move(old, name string, exchange bool) error {
	flags := uint(unix.RENAME_NOREPLACE)
	if exchange {
		flags = unix.RENAME_EXCHANGE
	}
	return unix.Renameat2(g.fd, old, g.fd, name, flags)
}
