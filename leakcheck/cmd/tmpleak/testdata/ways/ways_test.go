// Package ways has a test for each way to leave something behind. The one that
// LEAK names does; the others are its clean twins.
package ways

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var late sync.WaitGroup

func TestMain(m *testing.M) {
	code := m.Run()
	late.Wait()
	os.Exit(code)
}

// either runs one of the two, as ARRANGE says.
func either(t *testing.T, leak, clean func(t *testing.T)) {
	f := clean
	if os.Getenv("LEAK") == t.Name() {
		f = leak
	}
	switch os.Getenv("ARRANGE") {
	case "parallel":
		t.Parallel()
	case "subtests":
		t.Run("a", func(t *testing.T) { t.Parallel() })
		t.Run("b c/d", func(t *testing.T) {
			t.Parallel()
			f(t)
		})
		return
	}
	f(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(name string) string { return filepath.Join(os.TempDir(), name) }

func TestFile(t *testing.T) {
	either(t, func(t *testing.T) {
		f, err := os.CreateTemp("", "upload-*.tmp") // made by TestFile
		must(t, err)
		must(t, f.Close())
	}, func(t *testing.T) {
		f, err := os.CreateTemp("", "upload-*.tmp")
		must(t, err)
		must(t, f.Close())
		must(t, os.Remove(f.Name()))
	})
}

func TestDirectory(t *testing.T) {
	either(t, func(t *testing.T) {
		_, err := os.MkdirTemp("", "work-") // made by TestDirectory
		must(t, err)
	}, func(t *testing.T) { must(t, os.Mkdir(filepath.Join(t.TempDir(), "x"), 0o700)) })
}

func TestDeepTree(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.MkdirAll(at("deep/b/c/d"), 0o700)) // made by TestDeepTree
		must(t, os.WriteFile(at("deep/b/c/d/f"), nil, 0o600))
	}, func(t *testing.T) {
		must(t, os.MkdirAll(at("twin/b/c/d"), 0o700))
		must(t, os.RemoveAll(at("twin")))
	})
}

func TestElsewhere(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.WriteFile(os.Getenv("HOME")+"/.settings", nil, 0o600)) // made by TestElsewhere
	}, func(t *testing.T) {
		must(t, os.WriteFile(os.Getenv("HOME")+"/old", []byte("x"), 0o600)) // was there
	})
}

func TestReplaced(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.WriteFile("new.tmp", nil, 0o600)) // made by TestReplaced
		must(t, os.Rename("new.tmp", "new"))
	}, func(t *testing.T) {
		must(t, os.WriteFile("old.tmp", nil, 0o600))
		must(t, os.Rename("old.tmp", "old")) // was there
	})
}

func TestRemade(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.WriteFile("golden", nil, 0o600)) // made by TestRemade
	}, func(t *testing.T) {
		must(t, os.Remove("old"))
		must(t, os.WriteFile("old", nil, 0o600)) // was there
	})
}

func TestChild(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `echo x >"$TMPDIR/child.out"`).Run()) // made by TestChild
	}, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `f=$(mktemp) && rm "$f"`).Run())
	})
}

func TestAgain(t *testing.T) {
	if os.Getenv("AGAIN") != "" {
		must(t, os.WriteFile(at("again"), nil, 0o600))
		return
	}
	either(t, func(t *testing.T) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAgain$")
		cmd.Env = append(os.Environ(), "AGAIN=1")
		must(t, cmd.Run()) // made by TestAgain
	}, func(t *testing.T) {
		must(t, exec.Command(os.Args[0], "-test.run=^$").Run())
	})
}

func TestOrphan(t *testing.T) {
	either(t, func(t *testing.T) {
		// It waits for the program to be there: before, the process is a shell.
		const orphan = `sleep 300 >/dev/null 2>&1 & until read x </proc/$!/comm && [ "$x" = sleep ]; do :; done`
		must(t, exec.Command("/bin/sh", "-c", orphan).Run()) // made by TestOrphan
	}, func(t *testing.T) {
		must(t, exec.Command("/bin/sh", "-c", `sleep 0 & wait`).Run())
	})
}

func TestLate(t *testing.T) {
	either(t, func(t *testing.T) {
		late.Go(func() {
			time.Sleep(10 * time.Millisecond)
			_ = os.WriteFile(at("late"), nil, 0o600) // made by TestLate
		})
	}, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- os.WriteFile(filepath.Join(t.TempDir(), "late"), nil, 0o600) }()
		must(t, <-done)
	})
}

// serve writes a file from a goroutine of a goroutine, as a server does.
func serve(name string) {
	handled := make(chan bool)
	go func() { handle(name, handled) }()
	<-handled
}

func handle(name string, handled chan bool) {
	done := make(chan bool)
	go func() {
		defer close(done)
		_ = os.WriteFile(name, nil, 0o600) // made by TestServer
	}()
	<-done
	close(handled)
}

func TestServer(t *testing.T) {
	either(t, func(t *testing.T) { serve(at("served")) }, func(t *testing.T) { serve(filepath.Join(t.TempDir(), "served")) })
}

func TestSocket(t *testing.T) {
	// Without package net, which takes long to build.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { must(t, unix.Close(fd)) })
	either(t, func(t *testing.T) {
		must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: at("s")})) // made by TestSocket
	}, func(t *testing.T) {
		must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: at("t")}))
		must(t, os.Remove(at("t")))
	})
}

func TestFIFO(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, unix.Mkfifo(at("fifo"), 0o600)) // made by TestFIFO
	}, func(t *testing.T) { must(t, unix.Mkfifo(filepath.Join(t.TempDir(), "fifo"), 0o600)) })
}

func TestSymlink(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.Symlink("/nowhere", at("link"))) // made by TestSymlink
	}, func(t *testing.T) { must(t, os.Symlink("/nowhere", filepath.Join(t.TempDir(), "link"))) })
}

func TestHardLink(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.Link("old2", at("hard"))) // made by TestHardLink
	}, func(t *testing.T) { must(t, os.Link("old2", filepath.Join(t.TempDir(), "hard"))) })
}

func TestDangling(t *testing.T) {
	either(t, func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		must(t, os.Symlink(at("target"), link))
		must(t, os.WriteFile(link, nil, 0o600)) // made by TestDangling
	}, func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		must(t, os.Symlink("target", link))
		must(t, os.WriteFile(link, nil, 0o600))
	})
}

func TestRoot(t *testing.T) {
	rooted := func(t *testing.T, dir string) {
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer root.Close()
		must(t, root.WriteFile("rooted", nil, 0o600)) // made by TestRoot
	}
	either(t, func(t *testing.T) { rooted(t, os.TempDir()) }, func(t *testing.T) { rooted(t, t.TempDir()) })
}

func TestReadOnlyTree(t *testing.T) {
	either(t, func(t *testing.T) {
		must(t, os.MkdirAll(at("mod/sub"), 0o700)) // made by TestReadOnlyTree
		must(t, os.WriteFile(at("mod/sub/f"), nil, 0o400))
		must(t, os.Chmod(at("mod/sub"), 0o500))
		must(t, os.Chmod(at("mod"), 0o500))
	}, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mod")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, 0o500))
		must(t, os.Chmod(dir, 0o700))
	})
}

func TestRenamed(t *testing.T) {
	either(t, func(t *testing.T) {
		f, err := os.CreateTemp("", "tmp-") // made by TestRenamed
		must(t, err)
		must(t, f.Close())
		must(t, os.Rename(f.Name(), at("final")))
	}, func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(dir+"/a", nil, 0o600))
		must(t, os.Rename(dir+"/a", dir+"/b"))
	})
}

func TestRenamedDirectory(t *testing.T) {
	either(t, func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/stage", 0o700)) // made by TestRenamedDirectory
		must(t, os.WriteFile(dir+"/stage/f", nil, 0o600))
		must(t, os.Rename(dir+"/stage", at("placed")))
	}, func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/stage", 0o700))
		must(t, os.Rename(dir+"/stage", dir+"/placed"))
	})
}

func TestMovedOut(t *testing.T) {
	either(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "a")
		must(t, os.WriteFile(name, nil, 0o600))
		must(t, os.Rename(name, at("moved"))) // made by TestMovedOut
	}, func(t *testing.T) {
		must(t, os.WriteFile(at("in"), nil, 0o600))
		must(t, os.Rename(at("in"), filepath.Join(t.TempDir(), "in")))
	})
}

// A name below t.TempDir() leads elsewhere once a directory on the way has
// become a link.
func TestBehindLink(t *testing.T) {
	either(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.WriteFile(dir+"/f", nil, 0o600))
		must(t, os.RemoveAll(dir))
		must(t, os.Symlink(os.TempDir(), dir))
		must(t, os.WriteFile(dir+"/behind", nil, 0o600)) // made by TestBehindLink
	}, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.MkdirAll(dir+"/sub", 0o700))
		must(t, os.Rename(dir, dir+"2"))
		must(t, os.Symlink("dir2", dir))
		must(t, os.WriteFile(dir+"/sub/f", nil, 0o600))
	})
}

// A directory that was moved away leaves its name to others.
func TestOldName(t *testing.T) {
	either(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.MkdirAll(dir+"/sub", 0o700))
		must(t, os.WriteFile(dir+"/sub/f", nil, 0o600))
		must(t, os.Rename(dir, dir+"2"))
		must(t, os.Symlink(os.Getenv("HOME"), dir))
		must(t, os.WriteFile(dir+"/sub/old-name", nil, 0o600)) // made by TestOldName
	}, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.MkdirAll(dir+"/sub", 0o700))
		must(t, os.Rename(dir, dir+"2"))
		must(t, os.WriteFile(dir+"2/sub/old-name", nil, 0o600))
	})
}

func TestOddName(t *testing.T) {
	const odd = "a \"b\n\x1b[31m"
	either(t, func(t *testing.T) {
		must(t, os.WriteFile(at(odd), nil, 0o600)) // made by TestOddName
	}, func(t *testing.T) { must(t, os.WriteFile(filepath.Join(t.TempDir(), odd), nil, 0o600)) })
}

func TestManyFiles(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("MANY"))
	either(t, func(t *testing.T) {
		for i := range n {
			must(t, os.WriteFile(at("part-"+strconv.Itoa(10_000+i)), nil, 0o600)) // made by TestManyFiles
		}
	}, func(t *testing.T) {
		dir := t.TempDir()
		for i := range 20 {
			must(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600))
		}
	})
}

func BenchmarkFile(b *testing.B) {
	for range b.N {
		if os.Getenv("LEAK") == "BenchmarkFile" {
			f, _ := os.CreateTemp("", "bench-") // made by BenchmarkFile
			f.Close()
		}
	}
}

func ExampleMain() {
	if os.Getenv("LEAK") == "ExampleMain" {
		f, _ := os.CreateTemp("", "example-") // made by ExampleMain
		f.Close()
	}
	// Output:
}

func FuzzFile(f *testing.F) {
	f.Add(0)
	f.Add(1)
	f.Fuzz(func(t *testing.T, n int) {
		if n == 1 && os.Getenv("LEAK") == "FuzzFile" {
			f, err := os.CreateTemp("", "seed-") // made by FuzzFile
			must(t, err)
			must(t, f.Close())
		}
	})
}

// TestBehave does what DO says.
func TestBehave(t *testing.T) {
	switch do, arg, _ := strings.Cut(os.Getenv("DO"), " "); do {
	case "":
	case "exit":
		n, _ := strconv.Atoi(arg)
		os.Exit(n)
	case "panic":
		panic("as asked")
	case "fail":
		t.Fatal("as asked")
	case "kill":
		n, _ := strconv.Atoi(arg)
		_ = unix.Kill(os.Getpid(), unix.Signal(n))
		select {}
	case "hang":
		must(t, os.WriteFile(arg, nil, 0o600))
		time.Sleep(time.Hour)
	case "cat":
		b := make([]byte, 100)
		n, _ := os.Stdin.Read(b)
		os.Stdout.Write(b[:n])
	case "much":
		line := strings.Repeat("x", 1023) + "\n"
		for range 4096 {
			os.Stdout.WriteString(line)
		}
	case "unsafe":
		must(t, os.WriteFile(at("foretold.txt"), nil, 0o644))
		must(t, os.Remove(at("foretold.txt")))
	case "shared": // a directory that the tests opened to others
		dir := t.TempDir()
		for _, d := range []string{filepath.Dir(dir), dir} {
			must(t, os.Chmod(d, 0o777))
		}
		must(t, os.WriteFile(filepath.Join(dir, "foretold.txt"), nil, 0o644))
	case "run":
		must(t, exec.Command(arg, at("by-program")).Run())
	case "chroot": // of a program in a directory
		cmd := exec.Command("/touch", "/by-program")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: arg}
		must(t, cmd.Run())
	case "unshare":
		cmd := exec.Command(arg, at("by-program"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		must(t, cmd.Run())
	case "private": // of a program that sees a file system of its own at TMPDIR
		cmd := exec.Command("/bin/sh", "-c", `mount -t tmpfs none "$TMPDIR" && echo >"$TMPDIR/by-program"`)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
	case "form": // of a path
		byForm(t, arg)
	case "form,": // and removes it
		byForm(t, arg)
		must(t, os.Remove(at("by-form")))
	case "safe":
		must(t, os.WriteFile(filepath.Join(t.TempDir(), "foretold.txt"), nil, 0o644))
	case "kinds":
		n, _ := strconv.Atoi(arg)
		for i := range n {
			must(t, os.WriteFile(at(strings.Repeat(string(rune('a'+i)), 3)), nil, 0o600))
		}
	case "listener": // as a sandbox has, or a supervisor
		allow := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
		prog := unix.SockFprog{Len: 1, Filter: &allow[0]}
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
		fmt.Println("a second listener:", errno)
	case "check":
		if _, err := os.Stat(at("checked")); err == nil {
			t.Fatal("it is there")
		}
		must(t, os.WriteFile(at("checked"), nil, 0o600))
		must(t, os.Remove(at("checked")))
	}
}

// byForm makes a file by a form of its path.
func byForm(t *testing.T, form string) {
	dir, flags := os.TempDir(), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC
	open := func(path string) int {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		must(t, err)
		return fd
	}
	fd := -1
	var err error
	switch form {
	case "root link":
		fd, err = unix.Open("/proc/self/root"+dir+"/by-form", flags, 0o600)
	case "thread's root link":
		fd, err = unix.Open("/proc/thread-self/root"+dir+"/by-form", flags, 0o600)
	case "descriptor link":
		fd, err = unix.Open(fmt.Sprintf("/dev/fd/%d/by-form", open(dir)), flags, 0o600)
	case "link to a link":
		link := t.TempDir() + "/link"
		must(t, os.Symlink("/proc/self/root"+dir, link))
		fd, err = unix.Open(link+"/by-form", flags, 0o600)
	case "root descriptor":
		fd, err = unix.Openat(open("/"), dir[1:]+"/by-form", flags, 0o600)
	case "in root":
		fd, err = unix.Openat2(open(dir), "/by-form", &unix.OpenHow{Flags: uint64(flags), Mode: 0o600, Resolve: unix.RESOLVE_IN_ROOT})
	case "in root, up":
		fd, err = unix.Openat2(open(dir), "/../../by-form", &unix.OpenHow{Flags: uint64(flags), Mode: 0o600, Resolve: unix.RESOLVE_IN_ROOT})
	case "directory, then file":
		must(t, unix.Mkdir("/proc/self/root"+dir+"/by-form", 0o700))
		must(t, os.WriteFile(at("by-form/x"), nil, 0o600))
		must(t, os.WriteFile("/proc/self/root"+dir+"/by-form/y", nil, 0o600))
		if strings.HasPrefix(os.Getenv("DO"), "form,") {
			must(t, os.Remove(at("by-form/x")))
			must(t, os.Remove(at("by-form/y")))
		}
		return
	case "rename":
		must(t, os.WriteFile(at("by-form.tmp"), nil, 0o600))
		err = os.Rename("/proc/self/root"+dir+"/by-form.tmp", "/proc/self/root"+dir+"/by-form")
		must(t, err)
		return
	case "chroot":
		must(t, unix.Chroot(dir))
		fd, err = unix.Open("/by-form", flags, 0o600)
		if err == nil && strings.HasPrefix(os.Getenv("DO"), "form,") {
			must(t, os.Remove("/by-form"))
			os.Exit(0)
		}
	}
	must(t, err)
	must(t, unix.Close(fd))
}
