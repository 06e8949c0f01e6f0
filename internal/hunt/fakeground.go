package hunt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tmpproof/tmpproof/fsfake"
)

// FakeGround is a scene on a fake disk of its own.
type FakeGround struct {
	disk   *fsfake.Disk
	god    *fsfake.FS
	clean  *fsfake.Snapshot
	victim *fsfake.FS
	before func(Call)
	after  func(ID)
}

const fakeScene = "/scene"

// NewFakeGround makes an empty one.
func NewFakeGround() *FakeGround { return &FakeGround{} }

// Stage implements Ground.
func (g *FakeGround) Stage(names []string, unsticky bool, asked ...found) error {
	d := fsfake.New(fsfake.Bare(), fsfake.StrictAtime())
	root := d.As(fsfake.User{}).Quiet()
	if err := root.Mkdir(fakeScene, 0o755); err != nil {
		return err
	}
	god, err := root.Sub(fakeScene)
	if err != nil {
		return err
	}
	g.disk, g.god, g.victim = d, god.Quiet(), d.As(fsfake.User{UID: victimID, GID: victimID, Privileged: true})
	if err := stage(g, names, unsticky, asked); err != nil {
		return err
	}
	d.Hook(fsfake.Hook{
		Before: func(op *fsfake.Op) error {
			g.before(call(op))
			return nil
		},
		After: func(op *fsfake.Op) {
			if op.File != nil && (op.Name == "read" && op.N > 0 || op.Name == "readdir" && (op.Err == nil || op.Err == io.EOF)) {
				g.after(ID{Ino: op.File.Inode()})
			}
		},
	})
	g.clean = d.Snapshot()
	return nil
}

// call is what an operation looks up.
func call(op *fsfake.Op) Call {
	c := Call{Name: op.Name}
	for _, p := range []string{op.Path, op.NewPath} {
		switch {
		case p == "" || op.File != nil && op.Name != "open":
			continue
		case op.Dir != nil:
			p = op.Dir.Path() + "/" + base(p)
		case op.FS.Base() != "/":
			p = op.FS.Base() + "/" + p
		}
		c.Paths = append(c.Paths, strings.TrimPrefix(path.Clean(p), fakeScene+"/"))
		if op.Name == "symlink" {
			break
		}
	}
	return c
}

// victimID owns everything but what is the attacker's.
const (
	victimID   = 1000
	attackerID = 65534
)

// Reset implements Ground.
func (g *FakeGround) Reset(bool) (rebuilt bool, err error) {
	g.disk.Restore(g.clean)
	g.victim.Umask(0)
	return false, nil
}

// System implements Ground.
func (g *FakeGround) System(before func(Call), after func(read ID)) System {
	g.before, g.after = before, after
	return FakeSystem(g.victim, fakeScene+"/"+shared)
}

// Look implements Ground.
func (g *FakeGround) Look(name string) Thing {
	fi, found := g.god.Peek(name)
	if !found {
		return Thing{}
	}
	st := fi.Stat()
	t := Thing{ID: ID{Ino: st.Ino}, Type: fi.Type(), Perm: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Size: st.Size, Changed: st.Mtim.UnixNano()}
	if t.Type != fs.ModeDir {
		t.Links = uint64(st.Nlink)
	}
	if t.Type == fs.ModeSymlink {
		t.More, _ = g.god.Readlink(name)
	}
	return t
}

func (g *FakeGround) quietly(name string) (*fsfake.File, error) {
	f, err := g.god.OpenFile(name, os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NOATIME|fsfake.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f.(*fsfake.File), nil
}

// List implements Ground.
func (g *FakeGround) List(name string) []string {
	f, err := g.quietly(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}

// Read implements Ground.
func (g *FakeGround) Read(name string) string {
	f, err := g.quietly(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	data := make([]byte, 4096)
	n, _ := f.ReadAt(data, 0)
	return string(data[:n])
}

// Symlink implements Ground.
func (g *FakeGround) Symlink(target, name string) error {
	return g.god.Symlink(fakeScene+"/"+target, name)
}

// Link implements Ground.
func (g *FakeGround) Link(old, name string) error { return g.god.Link(old, name) }

// File implements Ground.
func (g *FakeGround) File(name, data string, perm uint32) error {
	return errors.Join(g.god.WriteFile(name, []byte(data), modeOf(perm)), g.mine(name))
}

// Mkdir implements Ground.
func (g *FakeGround) Mkdir(name string, perm uint32) error {
	mode := modeOf(perm)
	if perm&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return errors.Join(g.god.Mkdir(name, 0o700), g.god.Chmod(name, mode), g.mine(name))
}

func (g *FakeGround) mine(name string) error { return g.god.Lchown(name, victimID, victimID) }

// Own implements Ground.
func (g *FakeGround) Own(name string) error { return g.god.Lchown(name, attackerID, attackerID) }

var longAgo = time.Unix(1_000_000_000, 0)

// Age implements Ground.
func (g *FakeGround) Age(name string) error { return g.god.UtimesNano(name, longAgo, longAgo, false) }

// Move implements Ground.
func (g *FakeGround) Move(old, name string, exchange bool) error {
	flags := uint(fsfake.RenameNoReplace)
	if exchange {
		flags = fsfake.RenameExchange
	}
	return g.god.Renameat2(old, name, flags)
}
