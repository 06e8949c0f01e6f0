package attack

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// walkCase draws a scene and paths in it.
type walkCase struct {
	t    testing.TB
	data []byte
	d    *osDisk
	tid  int
	dirs []string
	fds  []int
}

func (c *walkCase) n(most int) int {
	if len(c.data) == 0 {
		return 0
	}
	v := int(c.data[0])
	c.data = c.data[1:]
	return v % most
}

func (c *walkCase) pick(list ...string) string { return list[c.n(len(list))] }

func (c *walkCase) entry() {
	parent := c.pick(c.dirs...)
	at := parent + "/" + c.pick("a", "b", "c", "d")
	switch c.n(7) {
	case 0:
		_ = unix.Mknodat(c.d.fd, at, unix.S_IFREG|0o600, 0)
	case 1:
		_ = unix.Linkat(c.d.fd, parent+"/a", c.d.fd, at, 0)
	case 2, 3, 4:
		_ = unix.Symlinkat(strings.TrimLeft(c.path(), " "), c.d.fd, at)
	default:
		if unix.Mkdirat(c.d.fd, at, 0o700) == nil {
			c.dirs = append(c.dirs, at)
		}
	}
}

func (c *walkCase) path() string {
	root := c.d.root
	fd := "0"
	if len(c.fds) > 0 {
		fd = itoa(c.fds[c.n(len(c.fds))])
	}
	var b strings.Builder
	b.WriteString(c.pick("", "", "", "", root+"/shared/", root+"/shared/", root+"/home/", root+"/", root, "/", "/proc/self/root"+root+"/home/", "/proc/thread-self/cwd/",
		"/proc/self/fd/"+fd+"/", "/dev/fd/"+fd, root+"/../"+filepath.Base(root)+"/shared/", "//"+root[1:]+"//shared//", root+"/shared/../home/"))
	for range c.n(4) {
		b.WriteString(c.pick("a", "b", "c", "d", "..", ".", "", "a", "b", "shared", "home"))
		b.WriteString(c.pick("/", "/", "//"))
	}
	b.WriteString(c.pick("a", "b", "c", "d", "zz", "..", ".", "", "a"))
	if b.Len() == 0 {
		return "a"
	}
	return b.String()
}

// compare holds the walk by the scene's names against the walk by objects.
func (c *walkCase) compare() string {
	p := supervise.Path{Raw: c.path(), Dir: unix.AT_FDCWD, Follow: c.n(3) > 0}
	if len(c.fds) > 0 && c.n(2) == 0 {
		p.Dir = c.fds[c.n(len(c.fds))]
	}
	c.d.forget()
	quick := walker{disk: c.d, pid: os.Getpid(), tid: c.tid, plain: true}
	inside := quick.begin(p)
	hasty := walker{disk: c.d, pid: os.Getpid(), tid: c.tid, plain: true}
	hasty.resolve(p, 0)
	c.d.forgetNames()
	exact := walker{disk: c.d, pid: os.Getpid(), tid: c.tid}
	exact.resolve(p, 0)
	show := func(w *walker) string { return fmt.Sprintf("%q: %+v", w.given, w.steps) }
	same := func(w *walker) bool {
		return slices.Equal(w.steps, exact.steps) && (len(w.steps) == 0 || w.given == exact.given)
	}
	if inside && !same(&quick) {
		return fmt.Sprintf("%q of %d, follow %v:\nby names %s\nby objects %s", p.Raw, p.Dir, p.Follow, show(&quick), show(&exact))
	}
	if !same(&hasty) {
		return fmt.Sprintf("%q of %d, follow %v:\nin haste %s\nby objects %s", p.Raw, p.Dir, p.Follow, show(&hasty), show(&exact))
	}
	return ""
}

// inThread runs f in a thread with a working directory of its own.
func inThread(f func()) {
	done := make(chan bool)
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			go run()
			select {}
		}
		defer close(done)
		if unix.Unshare(unix.CLONE_FS) == nil {
			f()
		}
	}
	go run()
	<-done
}

// playWalk is one case.
func playWalk(t testing.TB, data []byte) {
	d, err := newScene(&options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.destroy()) }()
	d.aliased = false
	inThread(func() {
		c := &walkCase{t: t, data: data, d: d, tid: unix.Gettid(), dirs: []string{dirShared, dirHome}}
		for range 4 + c.n(12) {
			c.entry()
		}
		for range 3 {
			at := c.pick(append(c.dirs, ".", "..", "../..", "/", "shared/a", "home/b")...)
			if fd, err := unix.Openat(d.fd, at, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
				c.fds = append(c.fds, fd)
				defer unix.Close(fd)
			}
		}
		for i := 0; len(c.data) > 0; i++ {
			if i%8 == 0 {
				_ = unix.Chdir(d.root + "/" + c.pick(c.dirs...))
			}
			if said := c.compare(); said != "" {
				t.Error(said)
				return
			}
		}
	})
}

// TestWalks: the quick way to resolve a path says what the exact one does, which
// is held against the kernel in package lookup.
func TestWalks(t *testing.T) {
	cases := 60 // of some eighty paths
	if testing.Short() {
		cases = 20
	}
	if n, err := strconv.Atoi(os.Getenv("TMPPROOF_LOOKUPS")); err == nil {
		cases = n / 80
	}
	random := rand.NewChaCha8([32]byte{3})
	data := make([]byte, 1024)
	for range cases {
		_, _ = random.Read(data)
		playWalk(t, data)
		if t.Failed() {
			return
		}
	}
}

func FuzzWalks(f *testing.F) {
	random := rand.NewChaCha8([32]byte{4})
	for range 4 {
		data := make([]byte, 256)
		_, _ = random.Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { playWalk(t, data) })
}
