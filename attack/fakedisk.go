package attack

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"

	"github.com/tmpproof/tmpproof/fsfake"
)

// fakeRoot is where the scene is on a fake disk. No real file system has such
// a path, so that code which leaves Scene.FS out and calls package os gets an
// error, and touches nothing.
const fakeRoot = "/dev/null/scene"

// fakeDisk is a disk of package fsfake with a scene on it. The attacker's
// acts are done as the attacker, and the disk itself refuses what its powers
// do not cover; the oracles look with root's eyes, and leave no traces.
type fakeDisk struct {
	disk  *fsfake.Disk
	god   *fsfake.FS   // the scene, for the oracles and for what is instrumentation
	owner *fsfake.FS   // the same for the canaries' owner
	thief []*fsfake.FS // and for the attacker; in the victim's group as well, with SameGroup
	temps []string     // paths that lead to Dir: where helpers put temporary files

	touchMu sync.Mutex          // goroutines of the victim's may live on
	touches map[uint64]touch    // of what is watched, by inode number
	drains  map[id]func() int64 // what came through the FIFOs that the attacker reads
}

// Who is who on a fake disk. The victim has the number of the test's own user,
// which code compares owners with, and root's capabilities: that its own rights
// would stop it is no safety. The canaries are its own.
func fakeVictim() fsfake.User {
	u := fsfake.User{UID: os.Getuid(), GID: os.Getgid(), Privileged: true}
	if u.UID < 0 { // Windows
		u.UID, u.GID = 1000, 1000
	}
	return u
}

func fakeAttacker(group []int) fsfake.User {
	id := 65534
	if fakeVictim().UID == id {
		id--
	}
	return fsfake.User{UID: id, GID: id, Groups: group}
}

// newFakeDisk makes a disk with an empty scene.
func newFakeDisk(opt *options) (*fakeDisk, error) {
	disk := fsfake.New(fsfake.Bare(), fsfake.StrictAtime())
	root := disk.As(fsfake.User{}).Quiet()
	if err := root.MkdirAll(fakeRoot, 0o755); err != nil {
		return nil, err
	}
	d := &fakeDisk{disk: disk}
	users := []fsfake.User{{}, fakeVictim(), fakeAttacker(nil)}
	if opt.sameGroup {
		users = append(users, fakeAttacker([]int{fakeVictim().GID}))
	}
	var views []*fsfake.FS
	for _, u := range users {
		v, err := disk.As(u).Sub(fakeRoot)
		if err != nil {
			return nil, err
		}
		views = append(views, v.Quiet())
	}
	d.god, d.owner, d.thief = views[0], views[1], views[2:]
	return d, errors.Join(d.build(opt), d.linkTemps(root))
}

func (d *fakeDisk) build(opt *options) error {
	shared := fs.FileMode(0o777) | fs.ModeSticky
	if opt.unsticky {
		shared = 0o777
	}
	me := fakeVictim()
	err := errors.Join(
		d.god.Mkdir(dirShared, 0o777), d.god.Chmod(dirShared, shared),
		d.god.Mkdir(dirHome, 0o700), d.god.Chown(dirHome, me.UID, me.GID),
		d.god.Mkdir(dirAttic, 0o755), d.god.Chown(dirAttic, d.thief[0].User().UID, d.thief[0].User().GID),
		d.write(atticFile, attackerData, attackerPerm), d.mkdir(atticDir, 0o777),
		d.mkdir(dirVault, 0o705), d.write(vaultFile, canaryData, 0o604), d.mkdir(vaultDir, 0o705), d.write(vaultKept, canaryData, 0o604))
	for _, name := range []string{atticFile, atticDir, dirAttic, vaultKept, vaultDir, vaultFile, dirVault, "."} {
		err = errors.Join(err, d.age(name))
	}
	return err
}

// linkTemps makes the usual places for temporary files lead to Dir: helpers
// of afero that are given no directory take os.TempDir. Where that lies below
// /tmp it is the only one.
func (d *fakeDisk) linkTemps(root *fsfake.FS) error {
	for _, t := range []string{os.TempDir(), fsfake.TempDir} {
		t = path.Clean("/" + fakePath(t))
		if _, err := root.Lstat(t); err == nil || under(t, fakeRoot) {
			continue
		}
		if err := errors.Join(root.MkdirAll(path.Dir(t), 0o755), root.Symlink(fakeRoot+"/"+dirShared, t)); err != nil {
			return err
		}
		d.temps = append(d.temps, t)
	}
	return nil
}

// rel is the scene's name of a path without symbolic links.
func (d *fakeDisk) rel(abs string) (string, bool) {
	switch {
	case abs == fakeRoot:
		return ".", true
	case under(abs, fakeRoot):
		return abs[len(fakeRoot)+1:], true
	}
	return "", false
}

// named is the scene's name of a path as the victim gives it, which is not
// looked up.
func (d *fakeDisk) named(given string) string {
	if given == "" || given[0] != '/' {
		given = "/" + given // a relative name begins at the root
	}
	given = path.Clean(given)
	if rel, ok := d.rel(given); ok {
		return rel
	}
	for _, t := range d.temps {
		if under(given, t) {
			return dirShared + given[len(t):]
		}
	}
	return given
}

func nodeFrom(fi *fsfake.FileInfo) node {
	st := fi.Stat()
	return node{
		id:    id{st.Dev, st.Ino, st.Btim.UnixNano()},
		typ:   fi.Type(),
		perm:  st.Mode & 0o7777,
		uid:   st.Uid,
		gid:   st.Gid,
		nlink: uint32(st.Nlink),
		size:  st.Size,
		mtime: st.Mtim.UnixNano(),
		ctime: st.Ctim.UnixNano(),
	}
}

func (d *fakeDisk) stat(name string) node {
	fi, found := d.god.Peek(name)
	if !found {
		return node{}
	}
	return nodeFrom(&fi)
}

// open opens for the oracles, whose reading nobody sees.
func (d *fakeDisk) open(name string) (*fsfake.File, error) {
	f, err := d.god.OpenFile(name, os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NOATIME|fsfake.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f.(*fsfake.File), nil
}

func (d *fakeDisk) list(name string) ([]string, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d *fakeDisk) blocks(name string, f func(at int64, b []byte)) (int64, error) {
	file, err := d.open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	size := d.stat(name).size
	buf := make([]byte, min(size, blockSize))
	for at := int64(0); at < size; at += blockSize {
		n, err := file.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		f(at, buf[:n])
	}
	return size, nil
}

// act does what the attacker does, with each of its identities: it is outside
// of the victim's group, and within.
func (d *fakeDisk) act(name string, do func(v *fsfake.FS) error) error {
	if under(name, dirVault) {
		return do(d.owner) // the stage is set, not acted on
	}
	var err error
	for _, v := range d.thief {
		if err = do(v); !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	if closed := d.closed(name); len(closed) > 0 { // by the victim; their owner opens them at any time
		for _, dir := range closed {
			perm := d.stat(dir).perm
			if err := d.god.Chmod(dir, modeOf(perm|0o700)); err != nil {
				return err
			}
			defer func() { _ = d.god.Chmod(dir, modeOf(perm)) }()
		}
		return do(d.thief[0])
	}
	return err
}

// closed are the attacker's own directories above an entry that let even him not
// in, the highest first.
func (d *fakeDisk) closed(name string) (all []string) {
	for dir := path.Dir(name); under(dir, dirShared); dir = path.Dir(dir) {
		if n := d.stat(dir); int(n.uid) == d.thief[0].User().UID && n.perm&0o700 != 0o700 {
			all = append([]string{dir}, all...)
		}
	}
	return all
}

func (d *fakeDisk) symlink(target, name string) error {
	return d.act(name, func(v *fsfake.FS) error { return v.Symlink(target, name) })
}

func (d *fakeDisk) link(old, name string) error {
	return d.act(name, func(v *fsfake.FS) error { return v.Link(old, name) })
}

func (d *fakeDisk) mkdir(name string, perm uint32) error {
	return d.act(name, func(v *fsfake.FS) error { return v.Mkdir(name, fs.FileMode(perm)) })
}

func (d *fakeDisk) mkfifo(name string) error {
	return d.act(name, func(v *fsfake.FS) error { return v.Mkfifo(name, 0o666) })
}

func (d *fakeDisk) mksock(name string) error {
	return d.act(name, func(v *fsfake.FS) error { return v.Mknod(name, fs.ModeSocket|0o777, 0) })
}

func (d *fakeDisk) write(name, data string, perm uint32) error {
	flags := os.O_WRONLY | os.O_TRUNC | fsfake.O_NOFOLLOW
	if perm != 0 {
		flags |= os.O_CREATE | os.O_EXCL
	}
	return d.act(name, func(v *fsfake.FS) error {
		f, err := v.OpenFile(name, flags, fs.FileMode(perm))
		if err != nil {
			return err
		}
		_, err = f.WriteString(data)
		return errors.Join(err, f.Close())
	})
}

func (d *fakeDisk) rename(old, name string) error { return d.move(old, name, fsfake.RenameNoReplace) }

func (d *fakeDisk) exchange(a, b string) error { return d.move(a, b, fsfake.RenameExchange) }

// move renames. A directory that changes its parent must be writable for who
// moves it, which is a matter of the attic here and not of the attacker's
// powers: it would rename in place. So that is looked past, once the disk has
// been asked whether it may.
func (d *fakeDisk) move(a, b string, flags uint) error {
	err := d.act(a, func(v *fsfake.FS) error { return v.Renameat2(a, b, flags) })
	if !errors.Is(err, fs.ErrPermission) || !d.mayMove(a) || flags == fsfake.RenameExchange && !d.mayMove(b) {
		return err
	}
	return d.god.Renameat2(a, b, flags)
}

// mayMove asks the disk whether the attacker may rename an entry in place.
func (d *fakeDisk) mayMove(name string) bool {
	aside := path.Dir(name) + "/aside"
	err := d.act(name, func(v *fsfake.FS) error { return v.Renameat2(name, aside, fsfake.RenameNoReplace) })
	return err == nil && d.god.Renameat2(aside, name, fsfake.RenameNoReplace) == nil
}

var longAgo = time.Unix(0, oldTime)

func (d *fakeDisk) age(name string) error { return d.god.UtimesNano(name, longAgo, longAgo, false) }

func (d *fakeDisk) abs(name string) string { return fakeRoot + "/" + name }

// whereIs is the name of an object in the scene, "" for none.
func (d *fakeDisk) whereIs(ino uint64, below string, depth int) string {
	fi, found := d.god.Peek(below)
	if !found {
		return ""
	}
	if fi.Stat().Ino == ino {
		return below
	}
	if !fi.IsDir() || depth > 16 {
		return ""
	}
	list, err := d.list(below)
	if err != nil {
		return ""
	}
	for _, e := range list {
		if at := d.whereIs(ino, path.Join(below, e), depth+1); at != "" {
			return at
		}
	}
	return ""
}
