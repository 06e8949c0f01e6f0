package fsfake_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// operations does each operation of the disk once. On a fresh disk with
// /dir/file, /dir/link and /dir/sub all succeed.
var operations = []struct {
	op string
	do func(v *fsfake.FS, f *fsfake.File) error
}{
	{"stat", func(v *fsfake.FS, _ *fsfake.File) error { _, err := v.Stat("/dir/file"); return err }},
	{"lstat", func(v *fsfake.FS, _ *fsfake.File) error { _, err := v.Lstat("/dir/file"); return err }},
	{"readlink", func(v *fsfake.FS, _ *fsfake.File) error { _, err := v.Readlink("/dir/link"); return err }},
	{"open", func(v *fsfake.FS, _ *fsfake.File) error { _, err := v.Open("/dir/file"); return err }},
	{"mkdir", func(v *fsfake.FS, _ *fsfake.File) error { return v.Mkdir("/dir/new", 0o700) }},
	{"mknod", func(v *fsfake.FS, _ *fsfake.File) error { return v.Mkfifo("/dir/new", 0o600) }},
	{"symlink", func(v *fsfake.FS, _ *fsfake.File) error { return v.Symlink("file", "/dir/new") }},
	{"link", func(v *fsfake.FS, _ *fsfake.File) error { return v.Link("/dir/file", "/dir/new") }},
	{"unlink", func(v *fsfake.FS, _ *fsfake.File) error { return v.Unlink("/dir/file") }},
	{"rmdir", func(v *fsfake.FS, _ *fsfake.File) error { return v.Rmdir("/dir/sub") }},
	{"rename", func(v *fsfake.FS, _ *fsfake.File) error { return v.Renameat2("/dir/file", "/dir/new", 0) }},
	{"chmod", func(v *fsfake.FS, _ *fsfake.File) error { return v.Chmod("/dir/file", 0o640) }},
	{"chown", func(v *fsfake.FS, _ *fsfake.File) error { return v.Chown("/dir/file", 1, 1) }},
	{"lchown", func(v *fsfake.FS, _ *fsfake.File) error { return v.Lchown("/dir/link", 1, 1) }},
	{"utimens", func(v *fsfake.FS, _ *fsfake.File) error {
		return v.Chtimes("/dir/file", time.Unix(1, 0), time.Unix(1, 0))
	}},
	{"lutimens", func(v *fsfake.FS, _ *fsfake.File) error {
		return v.UtimesNano("/dir/link", time.Unix(1, 0), time.Unix(1, 0), false)
	}},
	{"truncate", func(v *fsfake.FS, _ *fsfake.File) error { return v.Truncate("/dir/file", 2) }},
	{"access", func(v *fsfake.FS, _ *fsfake.File) error { return v.Access("/dir/file", 4) }},
	{"statfs", func(v *fsfake.FS, _ *fsfake.File) error { _, err := v.Statfs("/dir"); return err }},
	{"read", func(_ *fsfake.FS, f *fsfake.File) error { _, err := f.Read(make([]byte, 2)); return err }},
	{"write", func(_ *fsfake.FS, f *fsfake.File) error { _, err := f.Write([]byte("more")); return err }},
	{"fstat", func(_ *fsfake.FS, f *fsfake.File) error { _, err := f.Stat(); return err }},
	{"fsync", func(_ *fsfake.FS, f *fsfake.File) error { return f.Sync() }},
	{"fchmod", func(_ *fsfake.FS, f *fsfake.File) error { return f.Chmod(0o640) }},
	{"fchown", func(_ *fsfake.FS, f *fsfake.File) error { return f.Chown(1, 1) }},
	{"futimens", func(_ *fsfake.FS, f *fsfake.File) error { return f.Chtimes(time.Unix(1, 0), time.Unix(1, 0)) }},
	{"ftruncate", func(_ *fsfake.FS, f *fsfake.File) error { return f.Truncate(2) }},
	{"flink", func(_ *fsfake.FS, f *fsfake.File) error { return f.Link("/dir/new") }},
	{"readdir", func(v *fsfake.FS, _ *fsfake.File) error {
		d, err := v.Open("/dir")
		if err != nil {
			return err
		}
		_, err = d.Readdirnames(-1)
		return err
	}},
	{"close", func(_ *fsfake.FS, f *fsfake.File) error { return f.Close() }},
}

// scene is the disk that operations run on, with /dir/file open.
func scene(t testing.TB) (*fsfake.Disk, *fsfake.FS, *fsfake.File) {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	require.NoError(t, v.MkdirAll("/dir/sub", 0o755))
	require.NoError(t, v.WriteFile("/dir/file", []byte("hello"), 0o600))
	require.NoError(t, v.Symlink("file", "/dir/link"))
	f, err := v.OpenFile("/dir/file", os.O_RDWR, 0)
	require.NoError(t, err)
	return d, v, f.(*fsfake.File)
}

// TestFaultsReachEveryOperation makes each operation fail with each errno, before
// it and after it, and looks at what happened to the disk.
func TestFaultsReachEveryOperation(t *testing.T) {
	errnos := []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.ENOMEM, syscall.EMFILE,
		syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOENT, syscall.EEXIST, syscall.EBUSY, syscall.ELOOP}
	for _, o := range operations {
		for _, e := range errnos {
			t.Run(fmt.Sprintf("%s/%d", o.op, int(e)), func(t *testing.T) {
				_, v, f := scene(t)
				require.NoError(t, o.do(v, f), "without a fault")

				d, v, f := scene(t)
				s := d.Snapshot()
				remove := d.Fail(fsfake.Fault{Op: o.op, Err: e})
				require.ErrorIs(t, o.do(v, f), e)
				assert.Empty(t, s.Diff(), "a fault before the operation changes nothing")
				require.NoError(t, o.do(v, f), "one fault only")
				remove()

				d, v, f = scene(t)
				d.Fail(fsfake.Fault{Op: o.op, Err: e, Late: true})
				require.ErrorIs(t, o.do(v, f), e)
				assert.NoError(t, d.Check())
			})
		}
	}
}

func TestFaultChoosesItsTurn(t *testing.T) {
	d, v, _ := scene(t)
	d.Fail(fsfake.Fault{Op: "m*", Path: "/dir/[xy]*", Nth: 2, Count: 2, Err: syscall.ENOSPC})
	var got []string
	for _, name := range []string{"/dir/x1", "/dir/other", "/dir/x2", "/dir/y3", "/dir/x4"} {
		got = append(got, fmt.Sprint(v.Mkdir(name, 0o700) == nil))
	}
	assert.Equal(t, []string{"true", "true", "false", "false", "true"}, got)
	assert.Panics(t, func() { d.Fail(fsfake.Fault{Path: "["}) })

	d.Fail(fsfake.Fault{Op: "rename", If: func(op *fsfake.Op) bool { return op.NewPath == "/dir/b" }, Count: -1})
	for range 3 {
		assert.ErrorIs(t, v.Rename("/dir/file", "/dir/b"), syscall.EIO)
	}
	assert.NoError(t, v.Rename("/dir/file", "/dir/c"))
}

func TestShortWrite(t *testing.T) {
	d, v, f := scene(t)
	d.Fail(fsfake.Fault{Op: "write", Short: 3, Err: syscall.ENOSPC})
	n, err := f.Write([]byte("HELLO"))
	assert.Equal(t, 3, n)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	b, err := v.ReadFile("/dir/file")
	require.NoError(t, err)
	assert.Equal(t, "HELlo", string(b))
}

// TestInterruptedOperationsBeginAgain: package os hides EINTR, and so does this
// one; a hook sees both tries.
func TestInterruptedOperationsBeginAgain(t *testing.T) {
	for _, o := range operations {
		t.Run(o.op, func(t *testing.T) {
			d, v, f := scene(t)
			tries := 0
			d.Fail(fsfake.Fault{Op: o.op, Err: syscall.EINTR})
			d.Hook(fsfake.Hook{After: func(op *fsfake.Op) {
				if op.Name == o.op {
					tries++
				}
			}})
			err := o.do(v, f)
			if o.op == "close" {
				assert.ErrorIs(t, err, syscall.EINTR)
				assert.Equal(t, 1, tries)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, 2, tries)
		})
	}
}

func TestCloseReportsADelayedError(t *testing.T) {
	d, _, f := scene(t)
	d.Fail(fsfake.Fault{Op: "close", Err: syscall.EIO, Late: true})
	assert.ErrorIs(t, f.Close(), syscall.EIO)
	assert.ErrorIs(t, f.Close(), fs.ErrClosed)
}

func TestHooks(t *testing.T) {
	d, v, _ := scene(t)
	attacker := d.As(fsfake.User{UID: 65534, GID: 65534}).Quiet()
	var seen []string
	remove := d.Hook(fsfake.Hook{
		Before: func(op *fsfake.Op) error {
			if op.Name == "open" && op.Path == "/tmp/guess" {
				require.NoError(t, attacker.Symlink("/dir/file", "/tmp/guess"))
			}
			if op.Path == "/dir/no" {
				return syscall.EPERM
			}
			return nil
		},
		After: func(op *fsfake.Op) { seen = append(seen, op.String()) },
	})
	require.NoError(t, v.WriteFile("/tmp/guess", []byte("secret"), 0o600))
	b, err := v.ReadFile("/dir/file")
	require.NoError(t, err)
	assert.Equal(t, "secret", string(b), "the write followed the planted link")
	assert.ErrorIs(t, v.Remove("/dir/no"), fs.ErrPermission)
	remove()
	_, err = v.Stat("/")
	require.NoError(t, err)
	assert.Equal(t, []string{
		`open "/tmp/guess" O_WRONLY|O_CREATE|O_TRUNC 0600 = ok`,
		`write "/tmp/guess" -1 "secret" = 6`,
		`close "/tmp/guess" = ok`,
		`open "/dir/file" O_RDONLY 0 = ok`,
		`fstat "/dir/file" = ok`,
		`read "/dir/file" -1 512 = 6`,
		`read "/dir/file" -1 506 = 0`,
		`close "/dir/file" = ok`,
		`unlink "/dir/no" = EPERM`,
		`rmdir "/dir/no" = EPERM`,
	}, seen)
}

// TestFIFOsDoNotHang: what would wait for ever in the kernel is an error here,
// and hooks are told.
func TestFIFOsDoNotHang(t *testing.T) {
	for _, row := range []struct {
		flag    int
		err     error
		blocked bool
	}{
		{os.O_RDONLY, syscall.ENXIO, true},
		{os.O_WRONLY, syscall.ENXIO, true},
		{os.O_WRONLY | os.O_CREATE | os.O_TRUNC, syscall.ENXIO, true},
		{os.O_WRONLY | fsfake.O_NONBLOCK, syscall.ENXIO, false},
		{os.O_RDONLY | fsfake.O_NONBLOCK, nil, false},
		{os.O_RDWR, nil, false},
		{os.O_RDWR | os.O_CREATE | os.O_EXCL, fs.ErrExist, false},
	} {
		d, v, _ := scene(t)
		require.NoError(t, v.Mkfifo("/dir/fifo", 0o666))
		blocked := false
		d.Hook(fsfake.Hook{After: func(op *fsfake.Op) { blocked = blocked || op.Blocked }})
		f, err := v.OpenFile("/dir/fifo", row.flag, 0)
		assert.ErrorIs(t, err, row.err)
		assert.Equal(t, row.blocked, blocked)
		if err == nil {
			_, err = f.Read(make([]byte, 1))
			assert.ErrorIs(t, err, io.EOF)
			if row.flag&3 == os.O_RDWR {
				_, err = f.Write([]byte("x"))
				assert.ErrorIs(t, err, syscall.EAGAIN)
			}
		}
	}
}

// TestRemoveAllMeetsFile puts a file where RemoveAll opens the directory that
// it removes from: the kernel says ENOTDIR to what is then looked up in it.
func TestRemoveAllMeetsFile(t *testing.T) {
	d := fsfake.New()
	v := d.As(fsfake.User{})
	require.NoError(t, v.MkdirAll("/d/x", 0o700))
	require.NoError(t, v.WriteFile("/d/x/kept", nil, 0o600))
	require.NoError(t, v.WriteFile("/file", nil, 0o600))
	d.Hook(fsfake.Hook{Before: func(op *fsfake.Op) error {
		if op.Name == "open" && op.Path == "/d" {
			return v.Quiet().Renameat2("/file", "/d", fsfake.RenameExchange)
		}
		return nil
	}})
	assert.ErrorIs(t, v.RemoveAll("/d/x"), syscall.ENOTDIR)
}

// TestReplay logs what every operation does and runs the log on another disk.
func TestReplay(t *testing.T) {
	var log bytes.Buffer
	d := fsfake.New()
	stop := d.Log(&log)
	v := d.As(fsfake.User{Groups: []int{5, 6}, Umask: 0o022})
	for _, o := range operations {
		require.NoError(t, v.RemoveAll("/dir"))
		require.NoError(t, v.MkdirAll("/dir/sub", 0o755))
		require.NoError(t, v.WriteFile("/dir/file", []byte("h\"i\x00\n"), 0o600))
		require.NoError(t, v.Symlink("file", "/dir/link"))
		f, err := v.OpenFile("/dir/file", os.O_RDWR|os.O_APPEND, 0)
		require.NoError(t, err)
		require.NoError(t, o.do(v, f.(*fsfake.File)), o.op)
		f.Close()
	}
	_, err := d.As(fsfake.User{UID: 9, GID: 9}).Create("/dir/no")
	require.ErrorIs(t, err, fs.ErrPermission)
	stop()
	for _, o := range operations {
		assert.Contains(t, log.String(), " "+o.op+" ")
	}

	copied := fsfake.New()
	require.NoError(t, copied.Replay(bytes.NewReader(log.Bytes())))
	require.NoError(t, copied.Check())

	for _, row := range []struct{ line, want string }{
		{`0:0/000 mkdir "/x" 0700 = EEXIST`, "line 1: 0:0/000 mkdir \"/x\" 0700 = EEXIST: got ok"},
		{`0:0/000 jump "/x" = ok`, `unknown operation "jump"`},
		{`0:0/000 mkdir "/x" = ok`, "too few arguments"},
		{`0:0/000 mkdir "/x" 0700 1 = ok`, "too many arguments"},
		{`0:0/000 mkdir /x 0700 = ok`, "not quoted"},
		{`0:0/000 mkdir "/x 0700 = ok`, "quotes"},
		{`me mkdir "/x" 0700 = ok`, "uid:gid"},
		{`0:0/000 read f1 -1 5 = 5`, `no open file "f1"`},
		{`0:0/000 mkdir "/x" 0700`, "not of the form"},
	} {
		err := fsfake.New().Replay(strings.NewReader(row.line))
		require.Error(t, err)
		assert.Contains(t, err.Error(), row.want)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add("0:0/022 open f1 \"/a\" O_RDWR|O_CREATE 0600 = ok\n0:0/022 write f1 -1 \"x\" = 1\n0:0/022 close f1 = ok")
	f.Add("1:2,3/000 rename \"/a\" \"/b\" 2 = ENOENT\n# note\n\n0:0/0 utimens \"/\" now 5.000000006 = ok")
	f.Fuzz(func(t *testing.T, script string) {
		d := fsfake.New(fsfake.Size(1 << 24))
		if err := d.Replay(strings.NewReader(script)); err != nil && err.Error() == "" {
			t.Fatal("error without text")
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestQuota(t *testing.T) {
	d := fsfake.New(fsfake.Size(3*4096), fsfake.Inodes(4)) // root, /tmp and two more
	v := d.As(fsfake.User{})
	f, err := v.Create("/a")
	require.NoError(t, err)
	n, err := f.Write(make([]byte, 20000))
	assert.Equal(t, 3*4096, n)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	_, err = f.Write([]byte("x"))
	assert.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, v.Remove("/a"))
	_, err = v.Create("/b")
	require.NoError(t, err, "the removed file is open still and counts")
	assert.ErrorIs(t, v.Mkdir("/c", 0o700), syscall.ENOSPC)
	assert.ErrorIs(t, v.Link("/b", "/c"), syscall.ENOSPC)
	require.NoError(t, f.Close())
	require.NoError(t, v.WriteFile("/c", make([]byte, 3*4096), 0o600), "closing freed it")
	s, err := v.Statfs("/")
	require.NoError(t, err)
	assert.Equal(t, fsfake.Statfs{BlockSize: 4096, Blocks: 3, BlocksFree: 0, Files: 4, FilesFree: 0,
		NameMax: 255, BlocksInUse: 3, FilesInUse: 4}, s)
	assert.NoError(t, d.Check())

	require.NoError(t, v.Truncate("/c", 1e15))
	g, err := v.OpenFile("/c", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = g.WriteAt([]byte("x"), 1e12)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, v.Truncate("/c", 1e15))
	var pe *fs.PathError
	assert.False(t, errors.As(v.Truncate("/c", 0), &pe))
}

// TestShorten: a write that is cut goes on with the rest, in an operation of its
// own, and what After says of a close is what the caller gets.
func TestShorten(t *testing.T) {
	disk := fsfake.New()
	fsys := disk.As(fsfake.User{})
	var sizes []int
	defer disk.Hook(fsfake.Hook{Before: func(op *fsfake.Op) error {
		if op.Name == "write" {
			sizes = append(sizes, len(op.Data))
			op.Shorten(len(op.Data) / 2)
		}
		return nil
	}, After: func(op *fsfake.Op) {
		if op.Name == "close" {
			op.Err = syscall.EIO
		}
	}})()
	f, err := fsys.Create("/f")
	require.NoError(t, err)
	n, err := f.Write([]byte("abcdefgh"))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	n, err = f.WriteAt([]byte("XY"), 3)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []int{8, 4, 2, 1, 2, 1}, sizes)
	require.ErrorIs(t, f.Close(), syscall.EIO)
	require.ErrorIs(t, f.Close(), syscall.EIO)
	data, err := fsys.ReadFile("/f")
	require.NoError(t, err)
	require.Equal(t, "abcXYfgh", string(data))
}

// TestDrainFIFO: with somebody at the other end nobody waits, and what is written
// comes there.
func TestDrainFIFO(t *testing.T) {
	v := fsfake.New().As(fsfake.User{})
	require.NoError(t, v.Mkfifo("/fifo", 0o666))
	_, err := v.DrainFIFO("/tmp")
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = v.OpenFile("/fifo", os.O_WRONLY, 0)
	require.ErrorIs(t, err, syscall.ENXIO)
	taken, err := v.DrainFIFO("/fifo")
	require.NoError(t, err)
	f, err := v.OpenFile("/fifo", os.O_WRONLY, 0)
	require.NoError(t, err)
	n, err := f.WriteString("secret")
	require.NoError(t, err)
	assert.Equal(t, 6, n)
	assert.EqualValues(t, 6, taken())
	require.NoError(t, f.Close())
	f, err = v.Open("/fifo")
	require.NoError(t, err)
	data, err := io.ReadAll(f)
	assert.Empty(t, data)
	require.NoError(t, errors.Join(err, f.Close()))
}
