// Command lines makes calls in many ways. Each is made at the line that has
// its name, and no other line has that name.
package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/tmpproof/tmpproof/internal/supervise/testdata/self"
)

var dir string

func at(name string) string { return dir + "/" + name }

func main() {
	self.Main(func(d string) {
		dir = d
		_, _ = os.Stat(at("stat"))
		_ = os.WriteFile(at("writefile"), []byte("x"), 0o600)
		_ = os.MkdirAll(at("mkdirall"), 0o700)
		if f, err := os.CreateTemp(d, "createtemp-"); err == nil {
			f.Close()
		}
		_ = os.Rename(at("rename"), at("rename"))
		_ = os.MkdirAll(at("walk"), 0o700)
		_ = filepath.WalkDir(at("walk"), func(string, fs.DirEntry, error) error { return os.Chmod(at("inwalk"), 0o600) })
		if r, err := os.OpenRoot(at("walk")); err == nil {
			r.Close()
		}
		deep(5000)
		large()
		goroutines()
		deferred()
		broken()
		_ = generic[string]{"generic"}.do()
		reflect.ValueOf(os.Remove).Call([]reflect.Value{reflect.ValueOf(at("reflect"))})
		value := (&method{"method"}).do
		value()
		timer()
		raw()
		cmd := exec.Command("/bin/true")
		cmd.Dir = at("execdir")
		_ = cmd.Run()
		var once sync.Once
		once.Do(func() { _ = os.Remove(at("once")) })
		runtime.GC()
		for range iterate {
			_ = os.Remove(at("rangefunc"))
		}
	})
}

func deep(n int) int {
	if n == 0 {
		_ = os.Remove(at("deep"))
		return 0
	}
	return deep(n-1) + 1
}

//go:noinline
func large() byte {
	var b [100 << 10]byte
	_ = os.Remove(at("large"))
	return b[time.Now().Unix()%int64(len(b))]
}

func goroutines() {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			runtime.LockOSThread()
			_ = os.Remove(at("goroutine"))
		})
	}
	wg.Wait()
}

func deferred() {
	defer os.Remove(at("deferred"))
	defer func() {
		_ = os.Remove(at("deferredfunc"))
	}()
}

// broken removes its file while it panics, as a deferred clean-up does.
func broken() {
	defer func() { _ = recover() }()
	defer func() {
		_ = os.Remove(at("panicking"))
	}()
	nothing(nil)
}

//go:noinline
func nothing(p *int) { *p = 1 }

type generic[T any] struct{ v T }

func (g generic[T]) do() error {
	name, ok := any(g.v).(string)
	if !ok {
		return errors.ErrUnsupported
	}
	return os.Remove(dir + "/" + name) // "generic"
}

type method struct{ name string }

func (m *method) do() {
	_ = os.Remove(dir + "/" + m.name) // "method"
}

func timer() {
	done := make(chan struct{})
	time.AfterFunc(0, func() {
		_ = os.Remove(at("timer"))
		close(done)
	})
	<-done
}

func raw() {
	name := append([]byte(at("raw")), 0) // for the line below
	_, _, _ = syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(&name[0])), 0, 0)
	runtime.KeepAlive(name)
}

func iterate(yield func() bool) { _ = yield() }
