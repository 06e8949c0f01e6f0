package fsfake_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

func TestRootDoesNotLetOut(t *testing.T) {
	_, v, _ := scene(t)
	require.NoError(t, v.Symlink("/dir/file", "/dir/sub/abs"))
	require.NoError(t, v.Symlink("../file", "/dir/sub/up"))
	require.NoError(t, v.WriteFile("/dir/sub/in", []byte("in"), 0o600))
	require.NoError(t, v.Symlink("./in", "/dir/sub/fine"))
	r, err := v.Root("/dir/sub")
	require.NoError(t, err)
	for _, name := range []string{"abs", "up", "../file", "/dir/file", "/in", "in/../../file", ".."} {
		_, err := r.Open(name)
		assert.Error(t, err, name)
		assert.Error(t, r.WriteFile(name, nil, 0o600), name)
	}
	b, err := r.ReadFile("fine")
	require.NoError(t, err)
	assert.Equal(t, "in", string(b))
}

func TestSubKeepsLinksInside(t *testing.T) {
	_, v, _ := scene(t)
	require.NoError(t, v.Symlink("/in", "/dir/sub/abs"))
	require.NoError(t, v.WriteFile("/dir/sub/in", []byte("in"), 0o600))
	s, err := v.Sub("/dir/sub")
	require.NoError(t, err)
	for _, name := range []string{"/abs", "../../in", "/../in", "in"} {
		b, err := s.ReadFile(name)
		require.NoError(t, err, name)
		assert.Equal(t, "in", string(b))
	}
	_, err = v.Sub("/dir/file")
	assert.Error(t, err)
}

func TestTemp(t *testing.T) {
	v := fsfake.New().As(fsfake.User{UID: 5, GID: 5})
	f, err := v.CreateTemp("", "a*z")
	require.NoError(t, err)
	fi, err := f.Stat()
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), fi.Mode())
	assert.True(t, strings.HasPrefix(f.Name(), "/tmp/a") && strings.HasSuffix(f.Name(), "z"))
	dir, err := v.MkdirTemp("", "d")
	require.NoError(t, err)
	fi, err = v.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeDir|0o700, fi.Mode())
	_, err = v.CreateTemp("", "a/b")
	assert.ErrorContains(t, err, "separator")
	_, err = v.CreateTemp("/no", "a")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	_, err = v.MkdirTemp("/no", "a")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestUnnamedFile(t *testing.T) {
	d := fsfake.New()
	v := d.As(fsfake.User{UID: 5, GID: 5})
	f, err := v.OpenFile("/tmp", os.O_RDWR|fsfake.O_TMPFILE, 0o600)
	require.NoError(t, err)
	_, err = f.Write([]byte("hidden"))
	require.NoError(t, err)
	require.NoError(t, f.(*fsfake.File).Link("/tmp/shown"))
	b, err := v.ReadFile("/tmp/shown")
	require.NoError(t, err)
	assert.Equal(t, "hidden", string(b))
	g, err := v.OpenFile("/tmp", os.O_RDWR|os.O_EXCL|fsfake.O_TMPFILE, 0o600)
	require.NoError(t, err)
	assert.ErrorIs(t, g.(*fsfake.File).Link("/tmp/no"), fs.ErrNotExist)
	require.NoError(t, f.Close())
	require.NoError(t, g.Close())
	assert.NoError(t, d.Check())
}

func TestOptions(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	d := fsfake.New(fsfake.CaseInsensitive(), fsfake.Clock(func() time.Time { return now }), fsfake.InodeSeed(1000))
	v := d.As(fsfake.User{})
	require.NoError(t, v.WriteFile("/Read.Me", []byte("x"), 0o644))
	fi, err := v.Stat("/READ.me")
	require.NoError(t, err)
	s, ok := fsfake.StatOf(fi)
	require.True(t, ok)
	assert.Equal(t, now.UnixNano(), s.Btim.UnixNano())
	assert.EqualValues(t, 1002, s.Ino, "after the root and /tmp")
	require.NoError(t, v.Rename("/read.me", "/README"))
	infos, err := v.ReadDir("/")
	require.NoError(t, err)
	assert.Equal(t, "README", infos[0].Name())
	assert.ErrorIs(t, v.Mkdir("/readme", 0o755), fs.ErrExist)
	assert.NoError(t, d.Check())

	old := time.Unix(1_000_000_000, 0)
	atime := func() time.Time {
		fi, err := v.Stat("/README")
		require.NoError(t, err)
		s, _ := fsfake.StatOf(fi)
		return s.Atim
	}
	for _, row := range []struct {
		name   string
		option fsfake.Option
		want   bool
	}{{"noatime", fsfake.NoAtime(), false}, {"relatime", fsfake.Relatime(), true}, {"strictatime", fsfake.StrictAtime(), true}} {
		require.NoError(t, v.Chtimes("/README", old, old))
		d.Remount(row.option)
		_, err := v.ReadFile("/README")
		require.NoError(t, err)
		assert.Equal(t, row.want, atime().After(old), row.name)
	}
	d.Remount(fsfake.Relatime())
	now = now.Add(25 * time.Hour)
	_, err = v.ReadFile("/README")
	require.NoError(t, err)
	assert.Equal(t, now.Unix(), atime().Unix(), "a day later")
}

func TestProtected(t *testing.T) {
	for _, on := range []bool{false, true} {
		var opts []fsfake.Option
		if on {
			opts = []fsfake.Option{fsfake.ProtectedSymlinks(), fsfake.ProtectedHardlinks(),
				fsfake.ProtectedRegular(1), fsfake.ProtectedFIFOs(1)}
		}
		d := fsfake.New(opts...)
		victim, attacker := d.As(fsfake.User{}), d.As(fsfake.User{UID: 9, GID: 9})
		require.NoError(t, victim.WriteFile("/secret", []byte("x"), 0o644))
		require.NoError(t, attacker.Symlink("/secret", "/tmp/link"))
		require.NoError(t, attacker.WriteFile("/tmp/plain", nil, 0o666))
		require.NoError(t, attacker.Mkfifo("/tmp/fifo", 0o666))
		_, linkErr := victim.ReadFile("/tmp/link")
		fifo, fifoErr := victim.OpenFile("/tmp/fifo", os.O_RDWR|os.O_CREATE, 0o600)
		if fifoErr == nil {
			fifo.Close()
		}
		for what, err := range map[string]error{
			"symlink":  linkErr,
			"regular":  victim.WriteFile("/tmp/plain", nil, 0o600),
			"fifo":     fifoErr,
			"hardlink": attacker.Link("/secret", "/tmp/hard"),
		} {
			assert.Equal(t, on, errors.Is(err, fs.ErrPermission), "%s: %v", what, err)
		}
	}
}
