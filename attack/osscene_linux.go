package attack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tmpproof/tmpproof/internal/sweep"
	"golang.org/x/sys/unix"
)

// newScene makes a scene below TMPDIR.
func newScene(opt *options) (*osDisk, error) {
	tmp := os.TempDir()
	root, marker, err := sweep.Make(tmp)
	if err != nil {
		return nil, fmt.Errorf("no scene can be made in %q (set TMPDIR to a directory that can be written): %w", tmp, err)
	}
	if real, err := resolved(root); err == nil {
		root = real
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, sweep.Remove(root), marker.Close())
	}
	d := &osDisk{root: root, fd: fd, marker: marker, ownCanaries: opt.verb == race && unix.Geteuid() == 0 && unprotected(), nodes: map[string]node{}, lists: map[string][]string{},
		where: where{map[id]string{}, map[id]bool{}}, aliased: aliased(root)}
	d.dev = d.stat(".").id.dev
	if err := d.build(opt); err != nil {
		return nil, errors.Join(fmt.Errorf("building the scene in %s: %w", root, err), d.destroy())
	}
	return d, nil
}

// osPlace is a scene that worlds have one after the other. It is removed when
// the last of them, and who made it, has left.
type osPlace struct {
	scene *osDisk
	users atomic.Int32
}

func newPlace(opt *options) (place, error) {
	d, err := newScene(opt)
	if err != nil {
		return nil, err
	}
	p := &osPlace{scene: d}
	d.place = p
	p.users.Store(1)
	return p, nil
}

// sceneIn is the scene of a new world.
func sceneIn(in place, opt *options) (*osDisk, error) {
	p, ok := in.(*osPlace)
	if !ok {
		return newScene(opt)
	}
	p.users.Add(1)
	return p.scene, nil
}

func (p *osPlace) leave() error {
	if p.users.Add(-1) > 0 {
		return nil
	}
	return p.scene.destroy()
}

// leave ends a world's use of its scene.
func (d *osDisk) leave() error {
	if d.place != nil {
		return d.place.leave()
	}
	return d.destroy()
}

func resolved(p string) (string, error) {
	fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// build makes all parts of an empty scene.
func (d *osDisk) build(opt *options) error {
	shared := uint32(0o1777)
	if opt.unsticky {
		shared = 0o777
	}
	if err := errors.Join(d.mkdirOr(dirShared, shared), d.mkdirOr(dirHome, 0o700), d.buildAttic(), d.buildVault(), d.age(dirShared), d.age(dirHome)); err != nil {
		return err
	}
	d.built = map[string]state{}
	for _, name := range []string{dirShared, dirHome, dirAttic, atticFile, atticDir} {
		d.built[name] = d.state(name)
	}
	return nil
}

// mkdirOr makes a directory, or gives the one that was made before its state
// back: names can be made of its inode number.
func (d *osDisk) mkdirOr(name string, perm uint32) error {
	if was, ok := d.built[name]; ok && d.stat(name).id == was.node.id {
		return errors.Join(d.restore(name, was), d.empty(name))
	}
	return errors.Join(d.removeAll(name), d.mkdir(name, perm))
}

func (d *osDisk) buildAttic() error {
	return errors.Join(d.mkdir(dirAttic, 0o755), d.fillAttic(), d.age(dirAttic))
}

func (d *osDisk) fillAttic() error {
	err := errors.Join(d.write(atticFile, attackerData, attackerPerm), d.mkdir(atticDir, 0o777),
		d.age(atticFile), d.age(atticDir))
	if err != nil {
		return err
	}
	d.forget()
	return errors.Join(d.watch(atticFile, d.stat(atticFile)), d.watch(atticDir, d.stat(atticDir)))
}

// canaryOwner owns the canaries of a race. Elsewhere they are the victim's own,
// whoever runs the test: code that checks the owner of what it opened must find
// nothing wrong with a link to them, and a kernel whose fs.protected_* are on
// keeps nobody from what is theirs. A chown counts when it is called.
const canaryOwner = 4242

func (d *osDisk) buildVault() error {
	err := errors.Join(d.mkdir(dirVault, 0o705), d.write(vaultFile, canaryData, 0o604), d.mkdir(vaultDir, 0o705), d.write(vaultKept, canaryData, 0o604))
	if err != nil {
		return err
	}
	names := []string{vaultKept, vaultDir, vaultFile, dirVault}
	if d.ownCanaries {
		for _, n := range names {
			if unix.Fchownat(d.fd, n, canaryOwner, canaryOwner, unix.AT_SYMLINK_NOFOLLOW) != nil {
				d.ownCanaries = false // without the capability
			}
		}
	}
	d.forget()
	for _, n := range names {
		err = errors.Join(err, d.age(n))
	}
	// The moves need links to it.
	probe := dirAttic + "/probe"
	if lerr := d.link(vaultFile, probe); lerr != nil {
		return errors.Join(err, fmt.Errorf("hard links to the canary cannot be made: %w", lerr))
	}
	return errors.Join(err, d.remove(probe), d.age("."))
}

// clear makes the scene for the next run. What has its state yet is kept. The
// canaries are made anew when something has touched them.
func (d *osDisk) clear(opt *options, touched bool) error {
	d.quiet()
	for _, name := range []string{dirShared, dirHome, dirAttic} {
		if d.stat(name).id != d.built[name].node.id {
			touched = true // what was built is gone, or lies elsewhere
		}
	}
	if touched {
		return d.rebuild(opt)
	}
	if err := errors.Join(d.restore(dirShared, d.built[dirShared]), d.empty(dirShared), d.age(dirShared)); err != nil {
		return err
	}
	// Untouched since it was last emptied, it bears the time of then.
	if home := d.built[dirHome]; !d.still(dirHome, home) {
		if err := errors.Join(d.restore(dirHome, home), d.empty(dirHome), d.age(dirHome)); err != nil {
			return err
		}
		d.built[dirHome] = d.state(dirHome)
	}
	if err := d.clearAttic(); err != nil {
		return err
	}
	file, dir := d.stat(atticFile), d.stat(atticDir)
	d.forget() // what was removed
	d.keep(atticFile, file)
	d.keep(atticDir, dir)
	return nil
}

// rebuild makes all of the scene anew.
func (d *osDisk) rebuild(opt *options) error {
	list, err := d.list(".")
	if err != nil {
		return err
	}
	for _, e := range list {
		if e == dirMaze || e == sweep.Marker || e == dirShared || e == dirHome {
			continue // costly to make, or locked, and no part of what is judged; or see mkdirOr
		}
		if err := d.removeAll(e); err != nil {
			return err
		}
	}
	d.forget()
	return d.build(opt)
}

// empty removes what a part of the scene holds, but for the entries to keep.
func (d *osDisk) empty(dir string, keep ...string) error {
	list, err := d.list(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if name := dir + "/" + e; !slices.Contains(keep, name) {
			if err := d.removeAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearAttic keeps the two permanent entries when they are as they were.
func (d *osDisk) clearAttic() error {
	attic := d.built[dirAttic]
	whole := d.still(atticFile, d.built[atticFile]) && d.still(atticDir, d.built[atticDir])
	if whole && d.still(dirAttic, attic) {
		return nil
	}
	if err := d.restore(dirAttic, attic); err != nil {
		return err
	}
	if whole {
		if err := d.empty(dirAttic, atticFile, atticDir); err != nil {
			return err
		}
	} else if err := errors.Join(d.empty(dirAttic), d.fillAttic()); err != nil {
		return err
	} else {
		d.built[atticFile], d.built[atticDir] = d.state(atticFile), d.state(atticDir)
	}
	err := d.age(dirAttic)
	d.built[dirAttic] = d.state(dirAttic)
	return err
}

// giveUp ends the claim on a scene that is gone, and looks once for those of
// runs that were killed.
func (d *osDisk) giveUp() {
	if d.marker != nil {
		d.marker.Close()
	}
	dir := filepath.Dir(d.root)
	if _, done := swept.LoadOrStore(dir, true); !done {
		var s sweep.Sweeper
		s.Cancel() // in a large directory the first names will do
		s.Sweep(dir)
	}
}

var swept sync.Map // directories, in this process

// destroy removes the whole scene. Where a part stays the marker does too, for
// those who come later.
func (d *osDisk) destroy() error {
	d.forget()
	d.quiet()
	d.unwatch()
	d.unflag(".", 0)
	list, err := d.list(".")
	for _, e := range list {
		if e != sweep.Marker {
			err = errors.Join(err, d.removeAll(e))
		}
	}
	root := d.root
	if at := readlink(fmt.Sprintf("/proc/self/fd/%d", d.fd)); strings.HasPrefix(at, "/") && !strings.HasSuffix(at, " (deleted)") {
		root = at // where the victim has moved it
	}
	_ = unix.Close(d.fd)
	defer d.giveUp()
	if err == nil {
		err = sweep.Vanish(root)
	}
	if err != nil && strings.Contains(err.Error(), "no such file") {
		return nil // the victim removed the scene itself
	}
	return err
}
