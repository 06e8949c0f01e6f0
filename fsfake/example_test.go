package fsfake_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/tmpproof/tmpproof/fsfake"
)

func Example() {
	disk := fsfake.New()
	alice := disk.As(fsfake.User{UID: 1000, GID: 1000, Umask: 0o022})
	mallory := disk.As(fsfake.User{UID: 1001, GID: 1001})

	f, err := alice.CreateTemp("", "draft-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	_, err = mallory.Open(f.Name())
	fmt.Println(errors.Is(err, fs.ErrPermission))
	fmt.Println(errors.Is(mallory.Remove(f.Name()), fs.ErrPermission)) // /tmp is sticky
	// Output:
	// true
	// true
}

// Another user plants a link between the check and the use.
func ExampleDisk_Hook() {
	disk := fsfake.New()
	root := disk.As(fsfake.User{})
	mallory := disk.As(fsfake.User{UID: 1001, GID: 1001}).Quiet()
	root.WriteFile("/secret", []byte("old"), 0o600)

	disk.Hook(fsfake.Hook{Before: func(op *fsfake.Op) error {
		if op.Name == "open" {
			mallory.Symlink("/secret", op.Path)
		}
		return nil
	}})
	if _, err := root.Stat("/tmp/report"); errors.Is(err, fs.ErrNotExist) {
		root.WriteFile("/tmp/report", []byte("overwritten"), 0o600)
	}
	b, _ := root.Quiet().ReadFile("/secret")
	fmt.Printf("%s\n", b)
	// Output: overwritten
}

func ExampleDisk_Fail() {
	disk := fsfake.New()
	v := disk.As(fsfake.User{})
	disk.Fail(fsfake.Fault{Op: "write", Nth: 2, Short: 3, Err: syscall.ENOSPC})
	f, _ := v.Create("/log")
	fmt.Println(f.Write([]byte("first")))
	n, err := f.Write([]byte("second"))
	fmt.Println(n, errors.Is(err, syscall.ENOSPC))
	// Output:
	// 5 <nil>
	// 3 true
}

func ExampleSnapshot_Diff() {
	disk := fsfake.New()
	v := disk.As(fsfake.User{})
	v.WriteFile("/a", []byte("x"), 0o644)
	s := disk.Snapshot()
	v.Chmod("/a", 0o600)
	v.Mkdir("/d", 0o700)
	for _, c := range s.Diff() {
		fmt.Println(c)
	}
	disk.Restore(s)
	fmt.Println(len(s.Diff()))
	// Output:
	// ~ "/a" mode: -rw-r--r-- -> -rw-------
	// + "/d" drwx------ 0:0
	// 0
}

func ExampleDisk_Log() {
	disk := fsfake.New()
	stop := disk.Log(os.Stdout)
	disk.As(fsfake.User{UID: 7, GID: 7}).Mkdir("/x", 0o700)
	stop()
	// Output: 7:7/000 mkdir "/x" 0700 = EACCES
}
