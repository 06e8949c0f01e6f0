package fsfake_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// TestCachedPathsEnd: a view that has asked for paths often sees every change of
// what they mean as one that asks for the first time.
func TestCachedPathsEnd(t *testing.T) {
	type env struct {
		disk *fsfake.Disk
		root *fsfake.FS
		snap *fsfake.Snapshot // before /d/new
	}
	for _, row := range []struct {
		name   string
		opts   []fsfake.Option
		change func(e env) error
	}{
		{"unlink", nil, func(e env) error { return e.root.Unlink("/d/f") }},
		{"unlink and make again", nil, func(e env) error {
			if err := e.root.Unlink("/d/f"); err != nil {
				return err
			}
			return e.root.WriteFile("/d/f", nil, 0o600)
		}},
		{"rename away", nil, func(e env) error { return e.root.Rename("/d/f", "/d/none") }},
		{"rename over", nil, func(e env) error { return e.root.Rename("/d/g", "/d/f") }},
		{"rename to another directory", nil, func(e env) error { return e.root.Rename("/d/f", "/d/s/none") }},
		{"exchange", nil, func(e env) error { return e.root.Renameat2("/d/f", "/d/g", fsfake.RenameExchange) }},
		{"exchange with a directory", nil, func(e env) error { return e.root.Renameat2("/d/f", "/d/s", fsfake.RenameExchange) }},
		{"link", nil, func(e env) error { return e.root.Link("/d/f", "/d/none") }},
		{"create what was missing", nil, func(e env) error { return e.root.WriteFile("/d/none", nil, 0o644) }},
		{"mkdir what was missing", nil, func(e env) error { return e.root.MkdirAll("/d/none/x", 0o755) }},
		{"symlink where nothing was", nil, func(e env) error { return e.root.Symlink("f", "/d/none") }},
		{"symlink in place of the directory", nil, func(e env) error {
			if err := e.root.Rename("/d", "/away"); err != nil {
				return err
			}
			return e.root.Symlink("away", "/d")
		}},
		{"chmod of the file", nil, func(e env) error { return e.root.Chmod("/d/f", 0) }},
		{"chmod of the directory", nil, func(e env) error { return e.root.Chmod("/d", 0o700) }},
		{"chmod of the directory above", nil, func(e env) error { return e.root.Chmod("/", 0o700) }},
		{"chown of the directory", nil, func(e env) error {
			if err := e.root.Chmod("/d", 0o705); err != nil {
				return err
			}
			return e.root.Chown("/d", 0, 1000)
		}},
		{"rename of the directory", nil, func(e env) error { return e.root.Rename("/d", "/away") }},
		{"RemoveAll", nil, func(e env) error { return e.root.RemoveAll("/d") }},
		{"RemoveAll and make again", nil, func(e env) error {
			if err := e.root.RemoveAll("/d"); err != nil {
				return err
			}
			return e.root.MkdirAll("/d/s/t", 0o755)
		}},
		{"rmdir and make again", nil, func(e env) error {
			for _, name := range []string{"/d/s/t/u", "/d/s/t"} {
				if err := e.root.Remove(name); err != nil {
					return err
				}
			}
			return e.root.MkdirAll("/d/s/t/none", 0o755)
		}},
		{"mount", nil, func(e env) error { return e.disk.Mount("/d") }},
		{"mount below", nil, func(e env) error { return e.disk.Mount("/d/s") }},
		{"restore", nil, func(e env) error { e.disk.Restore(e.snap); return nil }},
		{"read only", nil, func(e env) error { e.disk.Remount(fsfake.ReadOnly()); return nil }},
		{"protected files", nil, func(e env) error {
			if err := e.root.Chmod("/d", os.ModeSticky|0o777); err != nil {
				return err
			}
			e.disk.Remount(fsfake.ProtectedRegular(2))
			return nil
		}},
		{"another case", []fsfake.Option{fsfake.CaseInsensitive()}, func(e env) error { return e.root.Rename("/d/f", "/d/F") }},
		{"another case appears", []fsfake.Option{fsfake.CaseInsensitive()}, func(e env) error { return e.root.WriteFile("/d/NONE", nil, 0o644) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			// answers makes a disk, warms a view, changes the disk and asks again.
			answers := func(again func(d *fsfake.Disk, warm *fsfake.FS) *fsfake.FS) []string {
				fixed := time.Unix(1e9, 0)
				disk := fsfake.New(append(row.opts, fsfake.Clock(func() time.Time { return fixed }))...)
				e := env{disk: disk, root: disk.As(fsfake.User{})}
				require.NoError(t, e.root.MkdirAll("/d/s/t/u", 0o755))
				for _, name := range []string{"/d/f", "/d/g", "/d/s/h"} {
					require.NoError(t, e.root.WriteFile(name, []byte(name), 0o666))
				}
				e.snap = disk.Snapshot()
				require.NoError(t, e.root.WriteFile("/d/new", nil, 0o666))
				require.NoError(t, e.root.Rename("/d/s/h", "/d/s/i"))
				warm := disk.As(fsfake.User{UID: 1000, GID: 1000})
				for range 4 {
					askAll(t, warm)
				}
				require.NoError(t, row.change(e))
				return askAll(t, again(disk, warm))
			}
			fresh := answers(func(d *fsfake.Disk, warm *fsfake.FS) *fsfake.FS { return d.As(warm.User()) })
			assert.Equal(t, fresh, answers(func(_ *fsfake.Disk, warm *fsfake.FS) *fsfake.FS { return warm }))
		})
	}
}

// askAll looks at paths and opens them, and gives the answers.
func askAll(t *testing.T, v *fsfake.FS) (answers []string) {
	for _, p := range []string{"", "/", "/d/", "/d/.", "/d/../d/f", "//d//f", "/d", "/d/f", "/d/F", "/d/g", "/d/new", "/d/none", "/d/none/x", "/d/s", "/d/s/none",
		"/d/s/h", "/d/s/i", "/d/s/t", "/d/s/t/u", "/d/s/t/none", "d/f", "/away", "/away/f"} {
		for _, look := range []func(string) (os.FileInfo, error){v.Stat, v.Lstat} {
			fi, err := look(p)
			answer := fmt.Sprint(p, " ", err)
			if err == nil {
				s, _ := fsfake.StatOf(fi)
				answer += fmt.Sprintf(" #%d %o %d:%d nlink=%d size=%d", s.Ino, s.Mode, s.Uid, s.Gid, s.Nlink, s.Size)
			}
			answers = append(answers, answer)
		}
		flags := []int{os.O_RDONLY, os.O_RDWR}
		switch p {
		case "/d/f":
			flags = append(flags, os.O_RDWR|os.O_CREATE)
		case "/d/g":
			flags = append(flags, os.O_RDWR|os.O_TRUNC)
		}
		for _, flag := range flags {
			f, err := v.OpenFile(p, flag, 0o666)
			answer := fmt.Sprintf("%s %x %v", p, flag, err)
			if err == nil {
				answer += fmt.Sprint(" #", f.(*fsfake.File).Inode())
				assert.NoError(t, f.Close())
			}
			answers = append(answers, answer)
		}
	}
	return answers
}

// TestCachedPathsBesideChanges opens cached paths while others change what an open
// looks at; the race detector judges.
func TestCachedPathsBesideChanges(t *testing.T) {
	disk := fsfake.New()
	root := disk.As(fsfake.User{})
	require.NoError(t, root.Mkdir("/d", 0o777))
	require.NoError(t, root.WriteFile("/d/f", nil, 0o666))
	user := disk.As(fsfake.User{UID: 1000, GID: 1000})
	const rounds = 300
	var wg sync.WaitGroup
	for _, flag := range []int{os.O_RDONLY, os.O_RDONLY | os.O_CREATE, os.O_RDWR, os.O_RDWR | os.O_CREATE | os.O_TRUNC} {
		wg.Go(func() {
			for range 4 * rounds {
				if f, err := user.OpenFile("/d/f", flag, 0o666); err == nil {
					_, _ = f.Write([]byte("text"))
					_, _ = f.Read(make([]byte, 8))
					_ = f.Close()
				}
				_, _ = user.Stat("/d/f")
			}
		})
	}
	for _, change := range []func(){
		func() { _ = root.Chmod("/d", 0o1777) },
		func() { _ = root.Chmod("/d", 0o777) },
		func() { _ = root.Chmod("/d/f", 0o666) },
		func() { disk.Remount(fsfake.ProtectedRegular(2)) },
		func() { _ = root.Rename("/d", "/e"); _ = root.Rename("/e", "/d") },
		func() { disk.Snapshot() },
	} {
		wg.Go(func() {
			for range rounds {
				change()
			}
		})
	}
	wg.Wait()
	assert.NoError(t, disk.Check())
}
