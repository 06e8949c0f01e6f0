package fsfake_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tmpproof/tmpproof/fsfake"
)

// A disk that is small, or another kind of disk.
func ExampleNew() {
	small := fsfake.New(fsfake.Size(8<<10), fsfake.Inodes(4))
	v := small.As(fsfake.User{})
	err := v.WriteFile("/f", make([]byte, 9<<10), 0o600)
	fmt.Println(errors.Is(err, syscall.ENOSPC))

	mac := fsfake.New(fsfake.CaseInsensitive(), fsfake.MaxLinks(2)).As(fsfake.User{})
	mac.WriteFile("/File", nil, 0o600)
	_, err = mac.Stat("/file")
	fmt.Println(err)

	empty := fsfake.New(fsfake.Bare()) // not even /tmp
	_, err = empty.As(fsfake.User{}).Stat(fsfake.TempDir)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// true
	// <nil>
	// true
}

// What the fs.protected_* settings of Linux keep others from.
func ExampleProtectedHardlinks() {
	disk := fsfake.New(fsfake.ProtectedSymlinks(), fsfake.ProtectedHardlinks(), fsfake.ProtectedRegular(2), fsfake.ProtectedFIFOs(2))
	disk.As(fsfake.User{}).WriteFile("/tmp/root's", nil, 0o600)
	err := disk.As(fsfake.User{UID: 1000}).Link("/tmp/root's", "/tmp/mine")
	fmt.Println(errors.Is(err, fs.ErrPermission))
	// Output: true
}

// Times that stand still, and inode numbers that are the same in each run.
func ExampleClock() {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	disk := fsfake.New(fsfake.Clock(func() time.Time { return noon }), fsfake.InodeSeed(1000), fsfake.NoAtime())
	v := disk.As(fsfake.User{})
	v.WriteFile("/f", nil, 0o600)
	fi, _ := v.Stat("/f")
	fmt.Println(fi.ModTime().UTC().Format(time.TimeOnly))

	// Access times as the mount option has them.
	disk.Remount(fsfake.StrictAtime())
	disk.Remount(fsfake.Relatime())
	v.UtimesNano("/f", noon.Add(time.Hour), fsfake.TimeOmit, true)
	v.UtimesNano("/f", fsfake.TimeNow, fsfake.TimeOmit, true)
	v.Chtimes("/f", noon, noon.Add(time.Minute))
	fi, _ = v.Stat("/f")
	fmt.Println(fi.ModTime().UTC().Format(time.TimeOnly))
	// Output:
	// 12:00:00
	// 12:01:00
}

// A disk that can no longer be written, and a part that is another disk.
func ExampleDisk_Remount() {
	disk := fsfake.New()
	v := disk.As(fsfake.User{})
	v.Mkdir("/mnt", 0o755)
	v.WriteFile("/f", nil, 0o600)
	disk.Mount("/mnt")
	fmt.Println(errors.Is(v.Rename("/f", "/mnt/f"), syscall.EXDEV))
	disk.Unmount("/mnt")

	disk.Remount(fsfake.ReadOnly())
	fmt.Println(errors.Is(v.WriteFile("/g", nil, 0o600), syscall.EROFS))
	disk.Remount(fsfake.ReadWrite())
	fmt.Println(v.WriteFile("/g", nil, 0o600))
	// Output:
	// true
	// true
	// <nil>
}

// What happened, again on another disk.
func ExampleDisk_Replay() {
	var script strings.Builder
	disk := fsfake.New()
	stop := disk.Log(&script)
	disk.As(fsfake.User{}).Mkdir("/d", 0o700)
	stop()

	other := fsfake.New()
	fmt.Println(other.Replay(strings.NewReader(script.String())))
	fi, _ := other.As(fsfake.User{}).Stat("/d")
	fmt.Println(fi.IsDir())
	// Output:
	// <nil>
	// true
}

// Links of both kinds, and the calls that do not follow them.
func ExampleFS_Link() {
	v := fsfake.New().As(fsfake.User{})
	v.WriteFile("/f", []byte("x"), 0o600)
	v.Link("/f", "/hard")
	v.Symlink("f", "/soft")
	a, _ := v.Stat("/f")
	b, _ := v.Stat("/soft")
	st, _ := fsfake.StatOf(a)
	fmt.Println(fsfake.SameFile(a, b), st.Nlink)

	to, _ := v.Readlink("/soft")
	li, _ := v.Lstat("/soft")
	fmt.Println(to, li.Mode().Type() == fs.ModeSymlink)
	v.Lchown("/soft", 1000, 1000)
	v.Chown("/soft", 1000, 1000) // the file
	_, err := v.OpenFile("/soft", os.O_RDONLY|fsfake.O_NOFOLLOW, 0)
	fmt.Println(errors.Is(err, syscall.ELOOP))
	// Output:
	// true 2
	// f true
	// true
}

// Removal as the system calls do it, and two ways to rename.
func ExampleFS_Renameat2() {
	v := fsfake.New().As(fsfake.User{})
	v.WriteFile("/a", []byte("a"), 0o600)
	v.Mkdir("/b", 0o700)
	fmt.Println(errors.Is(v.Renameat2("/a", "/b", fsfake.RenameNoReplace), fs.ErrExist))
	fmt.Println(v.Renameat2("/a", "/b", fsfake.RenameExchange))
	fmt.Println(errors.Is(v.Unlink("/a"), syscall.EISDIR), v.Rmdir("/a"))
	// Output:
	// true
	// <nil>
	// true <nil>
}

// A file without a name gets one when it is whole.
func ExampleFile_Link() {
	v := fsfake.New().As(fsfake.User{})
	f, _ := v.OpenFile("/tmp", os.O_RDWR|fsfake.O_TMPFILE, 0o600)
	defer f.Close()
	io.WriteString(f, "whole")
	fmt.Println(f.(*fsfake.File).Link("/tmp/report"))
	b, _ := v.ReadFile("/tmp/report")
	fmt.Printf("%s\n", b)
	// Output:
	// <nil>
	// whole
}

// The flags of open that afero's files have no word for, and holes.
func ExampleFS_OpenFile() {
	v := fsfake.New().As(fsfake.User{})
	v.Mkfifo("/pipe", 0o600)
	_, err := v.OpenFile("/pipe", os.O_WRONLY|fsfake.O_NONBLOCK, 0)
	fmt.Println(errors.Is(err, syscall.ENXIO))
	taken, _ := v.DrainFIFO("/pipe")
	pipe, _ := v.OpenFile("/pipe", os.O_WRONLY, 0)
	pipe.WriteString("hello")
	fmt.Println(taken())
	_, err = v.OpenFile("/pipe", fsfake.O_DIRECTORY, 0)
	fmt.Println(errors.Is(err, syscall.ENOTDIR))
	v.Mknod("/null", fs.ModeDevice|fs.ModeCharDevice|0o666, 1<<8|3)
	held, _ := v.OpenFile("/null", fsfake.O_PATH, 0)
	held.Close()

	f, _ := v.OpenFile("/sparse", os.O_RDWR|os.O_CREATE|fsfake.O_NOATIME, 0o600)
	defer f.Close()
	f.WriteAt([]byte("x"), 1<<20)
	data, _ := f.Seek(0, fsfake.SeekData)
	hole, _ := f.Seek(0, fsfake.SeekHole)
	fmt.Println(data, hole)
	// Output:
	// true
	// 5
	// true
	// 1048576 0
}

// Parts of a disk: as chroot, as os.OpenRoot, and for io/fs.
func ExampleFS_Sub() {
	v := fsfake.New().As(fsfake.User{})
	v.MkdirAll("/srv/www", 0o755)
	v.WriteFile("/srv/www/index.html", []byte("hello"), 0o644)
	v.Symlink("/etc/passwd", "/srv/www/out")

	chroot, _ := v.Sub("/srv")
	b, _ := chroot.ReadFile("/www/index.html")
	fmt.Printf("%s\n", b)
	root, _ := v.Root("/srv/www")
	_, err := root.ReadFile("out")
	fmt.Println(err != nil)
	names, _ := fs.Glob(v.IOFS(), "srv/www/*.html")
	fmt.Println(names)
	// Output:
	// hello
	// true
	// [srv/www/index.html]
}

// May this user? And how full is the disk?
func ExampleFS_Access() {
	disk := fsfake.New(fsfake.Inodes(100))
	root := disk.As(fsfake.User{})
	root.WriteFile("/secret", nil, 0o640)
	v := disk.As(fsfake.User{UID: 1000, GID: 1000})
	const read = 4
	fmt.Println(errors.Is(v.Access("/secret", read), fs.ErrPermission))
	root.Chown("/secret", 0, 1000)
	fmt.Println(v.Access("/secret", read))
	var room fsfake.Statfs
	room, _ = v.Statfs("/")
	fmt.Println(room.Files)
	// Output:
	// true
	// <nil>
	// 100
}

// A change, as Diff lists it.
func ExampleChange() {
	disk := fsfake.New()
	v := disk.As(fsfake.User{})
	s := disk.Snapshot()
	v.WriteFile("/f", nil, 0o600)
	var list []fsfake.Change = s.Diff()
	for _, c := range list {
		fmt.Println(c.Path)
	}
	disk.Restore(s)
	// Output: /f
}

// What an operation is about to meet, for a hook.
func ExampleFS_Lookups() {
	disk := fsfake.New()
	v := disk.As(fsfake.User{})
	v.Mkdir("/d", 0o700)
	v.Symlink("d", "/link")
	v.WriteFile("/d/f", nil, 0o600)
	var way []fsfake.Lookup
	for _, l := range v.Lookups(way, nil, "/link/f", true) {
		fmt.Println(l.Dir, l.Name, l.Last)
	}
	_, found := v.Peek("/d/f")
	entries, _ := v.ReadDir("/d")
	sub, _ := v.Sub("/d")
	fmt.Println(found, len(entries), sub.Base())
	// Output:
	// / link false
	// / d false
	// /d f true
	// true 1 /d
}

// A disk may write less than it was given; package os then goes on.
func ExampleOp_Shorten() {
	disk := fsfake.New()
	disk.Hook(fsfake.Hook{Before: func(op *fsfake.Op) error {
		if op.Name == "write" {
			fmt.Printf("write %q\n", op.Data)
			op.Shorten(3)
		}
		return nil
	}})
	f, err := disk.As(fsfake.User{}).Create("/f")
	if err != nil {
		panic(err)
	}
	fmt.Println(f.WriteString("12345"))
	// Output:
	// write "12345"
	// write "45"
	// 5 <nil>
}
