package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// beyondFake are the calls that act on a process, which a disk in memory has
// none of.
var beyondFake = []string{"execve", "mount", "chdir", "chroot", "pivot_root"}

// beyondAfero are those that the fake disk has, and afero has not.
var beyondAfero = []string{"access", "mknod", "link", "truncate", "rmdir", "unlink"}

// fakeStage makes the calls of a pair on a fake disk: the same system calls as
// stage makes on the kernel's.
type fakeStage struct {
	pair
	fs   *fsfake.FS
	home string
	name string
	done int
	made bool
}

const (
	fakeBody = "#!/bin/true\n# made by the pair\n"
	fakeKept = int64(len("#!/bin/true\n"))
)

func (p pair) onFake(s *attack.Scene) *fakeStage {
	return &fakeStage{pair: p, fs: s.FS.(*fsfake.FS), home: s.Home, name: s.Path("name")}
}

// fakeSetup is what setup makes.
func (p pair) fakeSetup(s *attack.Scene) error {
	v := p.onFake(s)
	home := func(n string) string { return filepath.Join(s.Home, n) }
	var err error
	switch {
	case p.onDirs():
		err = errors.Join(v.fs.Mkdir(home("dir"), 0o700), v.fs.Symlink(home("dir"), home("link")))
	default:
		err = errors.Join(afero.WriteFile(v.fs, home("file"), []byte(fakeBody), 0o600), v.fs.Symlink(home("file"), home("link")))
	}
	if err != nil || p.first == "FileCreation" || p.first == "DirCreation" || p.first == "LinkCreation" || p.group == 1 && p.first == "Check" {
		return err
	}
	switch {
	case p.first == "LinkRemove":
		return v.fs.Symlink(home("file"), v.name)
	case p.onDirs():
		return v.fs.Mkdir(v.name, 0o700)
	}
	return afero.WriteFile(v.fs, v.name, []byte(fakeBody), 0o600)
}

func (v *fakeStage) run() error {
	if err := v.call(v.first, v.check); err != nil {
		return fmt.Errorf("check %s: %w", v.check, err)
	}
	if err := v.rely(); err != nil {
		return errors.Join(fmt.Errorf("use %s: %w", v.use, err), v.cleanUp())
	}
	return nil
}

func (v *fakeStage) rely() error { return v.call(v.second, v.use) }

func fakeUseLine() string {
	pc := reflect.ValueOf((*fakeStage).rely).Pointer()
	file, line := runtime.FuncForPC(pc).FileLine(pc)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// cleanUp removes what the check made.
func (v *fakeStage) cleanUp() error {
	if !v.made {
		return nil
	}
	if v.first == "DirCreation" {
		return absentIsFine(v.fs.Rmdir(v.name))
	}
	return absentIsFine(v.fs.Unlink(v.name))
}

func (v *fakeStage) call(set, op string) error {
	v.done++
	switch set {
	case "Check":
		return v.look(op)
	case "FileRemove", "LinkRemove", "DirRemove":
		switch op {
		case "unlink":
			return v.fs.Unlink(v.name)
		case "rmdir":
			return v.fs.Rmdir(v.name)
		}
		return v.fs.Renameat2(v.name, filepath.Join(v.home, "old"), 0)
	case "FileCreation", "LinkCreation", "DirCreation":
		err := v.create(set, op)
		v.made = err == nil && v.done == 1
		return err
	}
	return v.normalUse(op)
}

func (v *fakeStage) look(op string) error {
	var err error
	if op == "stat" {
		_, err = v.fs.Stat(v.name)
	} else {
		err = v.fs.Access(v.name, 0)
	}
	switch {
	case v.group == 2:
		return err
	case err == nil:
		return fs.ErrExist
	}
	return absentIsFine(err)
}

func (v *fakeStage) create(set, op string) error {
	object := filepath.Join(v.home, "file")
	if v.onDirs() {
		object = filepath.Join(v.home, "dir")
	}
	link := filepath.Join(v.home, "link")
	switch op {
	case "creat":
		return v.put(os.O_CREATE | os.O_WRONLY | os.O_TRUNC)
	case "open":
		return v.put(os.O_CREATE | os.O_RDWR)
	case "mknod":
		return v.fs.Mknod(v.name, 0o600, 0)
	case "mkdir":
		return v.fs.Mkdir(v.name, 0o700)
	case "symlink":
		return v.fs.Symlink(object, v.name)
	case "link":
		if v.onDirs() {
			object = link
		}
		return v.fs.Link(object, v.name)
	}
	if set == "LinkCreation" {
		object = link
	}
	return v.fs.Renameat2(object, v.name, 0)
}

// put is in four frames below rely: more are not shown.
func (v *fakeStage) put(flags int) error {
	f, err := v.fs.OpenFile(v.name, flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(fakeBody)
	return errors.Join(err, f.Close())
}

func (v *fakeStage) normalUse(op string) error {
	switch op {
	case "chmod":
		return v.fs.Chmod(v.name, 0o700)
	case "chown":
		u := v.fs.User()
		return v.fs.Chown(v.name, u.UID, u.GID)
	case "truncate":
		return v.fs.Truncate(v.name, fakeKept)
	case "utime":
		at := time.Unix(1_700_000_000, 0)
		return v.fs.UtimesNano(v.name, at, at, true)
	}
	return v.put(os.O_RDWR)
}

// TestFakePairs breaks the pairs on a fake disk, and finds of each what
// testdata/pairs.md says that was found on the kernel's, to the letter. Which
// pairs those are is in testdata/pairs_fake.md, which TMPPROOF_UPDATE=1 writes.
func TestFakePairs(t *testing.T) {
	real := readPairs(t)
	var rows []string
	on := map[string]int{}
	for _, p := range allPairs() {
		where := "afero.Fs"
		switch {
		case p.has(beyondFake...):
			where = "the system alone"
		case p.has(beyondAfero...):
			where = "*fsfake.FS"
		}
		if on[where]++; where == "the system alone" {
			rows = append(rows, p.fakeRow(where, "none"))
			continue
		}
		t.Run(p.set()+"/"+p.calls(), func(t *testing.T) {
			r := attack.Prove(t, func(s *attack.Scene) error { return p.onFake(s).run() }, attack.Fake(),
				attack.Setup(p.fakeSetup), attack.Target("name"), attack.Unsticky(), attack.Depth(1), attack.ReportOnly())
			require.True(t, r.Complete, r.Problems)
			assert.Equal(t, real[p.String()], p.row(verdictOn(r, fakeUseLine())), texts(r))
			rows = append(rows, p.fakeRow(where, "the same"))
		})
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# The 224 pairs on the fake disk

Written by %s. For each pair whose calls the fake disk has, attack.Prove with Fake must find what pairs.md
says of the kernel's disk: the same rules, by the same moves, before the same calls.

%d pairs are calls of afero.Fs and its interfaces for links; %d more need calls that only *fsfake.FS has beside the system; %d act on a
process (%s), which a disk in memory has none of.

| set | check | use | expressed through | verdict on both disks |
|---|---|---|---|---|
`, "`TMPPROOF_UPDATE=1 go test -run '^TestFakePairs$' ./attack`", on["afero.Fs"], on["*fsfake.FS"], on["the system alone"], strings.Join(beyondFake, ", "))
	b.WriteString(strings.Join(rows, ""))
	const file = "testdata/pairs_fake.md"
	if os.Getenv("TMPPROOF_UPDATE") == "1" && !t.Failed() {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String(), "write it anew with TMPPROOF_UPDATE=1")
}

func (p pair) fakeRow(where, verdict string) string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", p.set(), p.check, p.use, where, verdict)
}
