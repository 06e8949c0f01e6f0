package lookup

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The tests compare what a walk says with what the kernel then does, for random
// trees, links, roots, mounts, working directories, descriptors and flags.

// choice draws from the bytes of a test case; when they are used up it draws
// the first.
type choice struct{ data []byte }

func (c *choice) n(most int) int {
	if len(c.data) == 0 {
		return 0
	}
	v := int(c.data[0])
	c.data = c.data[1:]
	return v % most
}

func pick[T any](c *choice, list ...T) T { return list[c.n(len(list))] }

// actor is a thread with a root, a working directory and, with privilege, a
// mount table of its own.
type actor struct {
	tid  int
	jobs chan func()
}

func newActor(t testing.TB, mounts bool) *actor {
	a := &actor{jobs: make(chan func())}
	ready := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			go run()
			select {} // its root is what /proc/self says
		}
		flags := unix.CLONE_FS
		if mounts {
			flags |= unix.CLONE_NEWNS
		}
		err := unix.Unshare(flags)
		if err == nil && mounts {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		a.tid = unix.Gettid()
		ready <- err
		for job := range a.jobs {
			job()
		}
	}
	go run()
	require.NoError(t, <-ready)
	return a
}

func (a *actor) do(f func()) {
	done := make(chan bool)
	a.jobs <- func() { f(); done <- true }
	<-done
}

// stage is one random tree with an actor in it.
type stage struct {
	t       testing.TB
	c       *choice
	base    string
	real    string // base without links
	actor   *actor
	fds     []int
	dirs    []string // below base, "" for base itself
	mounted []string
	closed  []string
	dev     map[uint64]bool // on which names can be made
	log     []string
}

func (s *stage) note(format string, args ...any) { s.log = append(s.log, fmt.Sprintf(format, args...)) }

var letters = []string{"a", "b", "c", "d"}

func newStage(t testing.TB, c *choice, base string, privileged bool) *stage {
	s := &stage{t: t, c: c, base: base, dirs: []string{""}, dev: map[uint64]bool{}}
	require.NoError(t, os.RemoveAll(base))
	require.NoError(t, os.Mkdir(base, 0o755))
	o, err := Stat(unix.AT_FDCWD, base, 0)
	require.NoError(t, err)
	s.dev[o.Dev] = true
	s.real, err = filepath.EvalSymlinks(base)
	require.NoError(t, err)
	for range 6 + c.n(12) {
		s.entry()
	}
	for range c.n(3) { // closed to whoever has no privilege
		if dir := s.dir(); dir != base {
			s.closed = append(s.closed, dir)
			s.note("chmod %s: %v", dir, os.Chmod(dir, 0o600))
		}
	}
	s.actor = newActor(t, privileged)
	s.actor.do(func() {
		if privileged {
			s.mounts()
			if c.n(3) == 0 {
				dir := s.dir()
				err := unix.Chroot(dir)
				s.note("chroot %s: %v", dir, err)
			}
		}
		s.chdir()
		for range 3 {
			s.descriptor()
		}
	})
	return s
}

func (s *stage) close() {
	for _, fd := range s.fds {
		_ = unix.Close(fd)
	}
	close(s.actor.jobs)
	for range s.closed { // an outer one can keep from an inner one
		for _, dir := range s.closed {
			_ = os.Chmod(dir, 0o755)
		}
	}
}

func (s *stage) dir() string { return filepath.Join(s.base, pick(s.c, s.dirs...)) }

// entry makes an entry of the tree.
func (s *stage) entry() {
	parent := pick(s.c, s.dirs...)
	at := filepath.Join(parent, pick(s.c, letters...))
	name := filepath.Join(s.base, at)
	switch s.c.n(8) {
	case 0:
		s.note("file %s: %v", at, unix.Mknod(name, unix.S_IFREG|0o644, 0))
	case 1:
		s.note("fifo %s: %v", at, unix.Mkfifo(name, 0o644))
	case 2, 3, 4:
		target := s.path()
		if target == "" {
			target = "."
		}
		s.note("link %s -> %s: %v", at, target, os.Symlink(target, name))
	default:
		if err := os.Mkdir(name, 0o755); err == nil {
			s.dirs = append(s.dirs, at)
			s.note("dir %s", at)
		}
	}
}

// mounts changes what the actor sees.
func (s *stage) mounts() {
	for range s.c.n(3) {
		at := s.dir()
		if at == s.base {
			continue
		}
		switch s.c.n(3) {
		case 0:
			s.note("tmpfs %s: %v", at, unix.Mount("none", at, "tmpfs", 0, "size=64k"))
			for _, name := range letters[:2] {
				_ = os.Mkdir(filepath.Join(at, name), 0o755)
			}
			if o, err := Stat(unix.AT_FDCWD, at, 0); err == nil {
				s.dev[o.Dev] = true
			}
		case 1:
			from := s.dir()
			s.note("bind %s on %s: %v", from, at, unix.Mount(from, at, "", unix.MS_BIND, ""))
		case 2:
			s.note("proc on %s: %v", at, unix.Mount("/proc", at, "", unix.MS_BIND, ""))
		}
		s.mounted = append(s.mounted, at)
	}
}

func (s *stage) chdir() {
	to := pick(s.c, ".", "/", "a", "b", "..", s.base)
	s.note("chdir %s: %v", to, unix.Chdir(to))
}

func (s *stage) descriptor() {
	at := pick(s.c, ".", "/", "a", "b", "a/b", "b/a", "..", s.dir())
	flags := pick(s.c, unix.O_PATH, unix.O_PATH|unix.O_NOFOLLOW)
	fd, err := unix.Open(at, flags|unix.O_CLOEXEC, 0)
	s.note("fd %d: open(%s, %#x): %v", fd, at, flags, err)
	if err == nil {
		s.fds = append(s.fds, fd)
	}
}

// path draws a path.
func (s *stage) path() string {
	var b strings.Builder
	fd := "0"
	if len(s.fds) > 0 {
		fd = strconv.Itoa(pick(s.c, s.fds...))
	}
	mount := "/d"
	if len(s.mounted) > 0 {
		mount = pick(s.c, s.mounted...)
	}
	b.WriteString(pick(s.c, "", "", "", "", "/", "/", s.base+"/", s.base+"/", "/proc/self/root/", "/proc/thread-self/root"+s.base+"/", "/proc/thread-self/cwd/",
		"/proc/self/fd/"+fd+"/", "/proc/thread-self/fd/"+fd+"/", "/proc/self/fd/"+fd, "/proc/thread-self/root/", "/dev/fd/"+fd+"/", mount+"/thread-self/cwd/", mount+"/self/../", "/proc/self/../.."+s.base+"/", "//"))
	for range s.c.n(5) {
		b.WriteString(pick(s.c, "a", "b", "c", "d", "a", "b", "..", "..", ".", "", "zz"))
		b.WriteString(pick(s.c, "/", "/", "/", "//"))
	}
	b.WriteString(pick(s.c, "a", "b", "c", "d", "..", ".", "", "", "zz"))
	return b.String()
}

// asked is one path that is looked up.
type asked struct {
	Path
	flags uint64
}

func (s *stage) ask() asked {
	q := asked{Path: Path{Raw: s.path(), Dir: unix.AT_FDCWD, Follow: true}}
	if len(s.fds) > 0 && s.c.n(2) == 0 {
		q.Dir = pick(s.c, s.fds...)
	}
	q.Resolve = pick[uint64](s.c, 0, 0, 0, unix.RESOLVE_IN_ROOT, unix.RESOLVE_BENEATH, unix.RESOLVE_NO_XDEV, unix.RESOLVE_NO_SYMLINKS, unix.RESOLVE_NO_MAGICLINKS,
		unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_XDEV, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if s.c.n(3) == 0 {
		q.flags |= unix.O_NOFOLLOW
		q.Follow = strings.HasSuffix(q.Raw, "/")
	}
	return q
}

// answer is what the kernel does.
type answer struct {
	Object
	err error
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%x:%d (%d)", a.Dev, a.Ino, a.Mount)
}

func (a answer) equal(b answer) bool {
	return a.err == nil && b.err == nil && a.Same(&b.Object) || a.err != nil && a.err == b.err
}

func (s *stage) kernel(q asked, more uint64) (a answer, fd int) {
	s.actor.do(func() {
		how := unix.OpenHow{Flags: q.flags | more | unix.O_CLOEXEC, Resolve: q.Resolve}
		if more&unix.O_CREAT != 0 {
			how.Mode = 0o600
		}
		for range 100 { // EAGAIN: ".." while something is renamed or mounted on the system
			if fd, a.err = unix.Openat2(q.Dir, q.Raw, &how); a.err != unix.EAGAIN {
				break
			}
		}
		if a.err == nil {
			a.Object, a.err = Stat(fd, "", unix.AT_EMPTY_PATH)
		}
	})
	return a, fd
}

// looked is a name in a directory.
type looked struct {
	dev, ino uint64
	name     string
}

// check compares one walk with the kernel's.
func (s *stage) check(q asked, thorough bool) (said string) {
	visited := map[looked]bool{}
	w := Walk{PID: os.Getpid(), TID: s.actor.tid, Visit: func(n *Name) {
		if n.Dir.IsDir() {
			visited[looked{n.Dir.Dev, n.Dir.Ino, n.Name}] = true
		}
	}}
	r := w.Resolve(q.Path)
	defer r.Close()
	ours := answer{Object: r.End.Object, err: r.Err}
	want, fd := s.kernel(q, unix.O_PATH)
	if want.err == nil {
		_ = unix.Close(fd)
	}
	if !ours.equal(want) {
		return fmt.Sprintf("the walk ends at %v, the kernel at %v", ours, want)
	}
	if want.err == unix.ENOENT && q.flags == 0 {
		return s.missing(q, &r)
	}
	if want.err == nil && thorough {
		return s.sensitive(q, want, visited)
	}
	return ""
}

// missing has the kernel make the name that is missing.
func (s *stage) missing(q asked, r *Result) string {
	if strings.HasSuffix(q.Raw, "/") {
		return ""
	}
	if !r.Missing() {
		if got, fd := s.kernel(q, unix.O_CREAT|unix.O_WRONLY); got.err == nil {
			_ = unix.Close(fd)
			return "nothing is missing, and the kernel makes something"
		}
		return ""
	}
	at, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(r.Dir.FD()))
	if !s.dev[r.Dir.Dev] || at != s.real && !strings.HasPrefix(at, s.real+"/") {
		return "" // nothing is made outside
	}
	got, fd := s.kernel(q, unix.O_CREAT|unix.O_WRONLY)
	if got.err == unix.EISDIR {
		return "" // the text of a link ends with a slash after the missing name
	}
	if got.err != nil {
		return fmt.Sprintf("%q is missing, and making it fails: %v", r.Name, got.err)
	}
	_ = unix.Close(fd)
	made, err := Stat(r.Dir.FD(), r.Name, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || made.Ino != got.Ino || made.Dev != got.Dev {
		return fmt.Sprintf("%q is missing, and what the kernel made is elsewhere", r.Name)
	}
	if err := unix.Unlinkat(r.Dir.FD(), r.Name, 0); err != nil {
		return "unlinkat: " + err.Error()
	}
	return ""
}

// sensitive renames each entry: only if it was looked up does that change what
// the kernel does.
func (s *stage) sensitive(q asked, want answer, visited map[looked]bool) string {
	said := ""
	_ = filepath.WalkDir(s.base, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || name == s.base || said != "" {
			return nil
		}
		for _, m := range s.mounted {
			if name == m {
				return nil // renaming it here takes the mount off there
			}
		}
		dir, err := Stat(unix.AT_FDCWD, filepath.Dir(name), 0)
		if err != nil {
			return nil
		}
		aside := filepath.Join(filepath.Dir(name), "aside")
		if os.Rename(name, aside) != nil {
			return nil
		}
		got, fd := s.kernel(q, unix.O_PATH)
		if got.err == nil {
			_ = unix.Close(fd)
		}
		require.NoError(s.t, os.Rename(aside, name))
		if looks := visited[looked{dir.Dev, dir.Ino, filepath.Base(name)}]; looks == got.equal(want) {
			said = fmt.Sprintf("%s was looked up: %v, and renaming it: %v to %v", name, looks, want, got)
		}
		return nil
	})
	return said
}

const asks = 40

// play is one case: a tree, and many paths.
func play(t testing.TB, data []byte, base string, privileged bool) {
	c := &choice{data: data}
	s := newStage(t, c, base, privileged)
	defer s.close()
	for i := range asks {
		if len(c.data) == 0 {
			return
		}
		if c.n(8) == 0 {
			s.actor.do(s.chdir)
		}
		q := s.ask()
		if said := s.check(q, i%8 == 0); said != "" {
			cwd, _ := os.Readlink(procOf(s.actor.tid) + "/cwd")
			root, _ := os.Readlink(procOf(s.actor.tid) + "/root")
			t.Fatalf("%s\npath %q, descriptor %d, follow %v, flags %#x, resolve %#x\nin %s, root %s\n%s", said, q.Raw, q.Dir, q.Follow, q.flags, q.Resolve, cwd, root, strings.Join(s.log, "\n"))
		}
	}
}

// mayMount says whether a thread here can have mounts of its own.
func mayMount() bool { return os.Geteuid() == 0 && os.Getenv(envNamespace) != "no" }

// envCases is how many walks TestKernel compares.
const envCases = "TMPPROOF_LOOKUPS"

const envNamespace = "TMPPROOF_TEST_LOOKUP_NAMESPACE"

func TestKernel(t *testing.T) {
	cases := 8_000
	if testing.Short() {
		cases = 3_000
	}
	if n, err := strconv.Atoi(os.Getenv(envCases)); err == nil {
		cases = n
	}
	seed := uint64(1)
	if n, err := strconv.ParseUint(os.Getenv("TMPPROOF_SEED"), 10, 64); err == nil {
		seed = n
	}
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	base := filepath.Join(t.TempDir(), "base")
	begin := time.Now()
	data := make([]byte, 2048)
	for i := 0; i < cases; i += asks {
		_, _ = random.Read(data)
		play(t, data, base, mayMount())
	}
	t.Logf("%d walks in %v, mounts of its own: %v", cases, time.Since(begin).Round(time.Second), mayMount())
}

// TestPlace: a directory that is mounted twice is two places, and only the one
// that is the root has nothing above it.
func TestPlace(t *testing.T) {
	if !mayMount() {
		t.Skip("no mounts of its own can be made here; TestInNamespace tries it")
	}
	base := t.TempDir()
	for _, dir := range []string{"a", "copy"} {
		require.NoError(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	a := newActor(t, true)
	defer close(a.jobs)
	fd := -1
	var err error
	a.do(func() {
		if fd, err = unix.Open(base+"/a", unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
			err = errors.Join(unix.Mount(base+"/a", base+"/copy", "", unix.MS_BIND, ""), unix.Chroot(base+"/copy"))
		}
	})
	require.NoError(t, err)
	defer unix.Close(fd)
	want, err := Stat(unix.AT_FDCWD, base, 0)
	require.NoError(t, err)
	w := Walk{PID: os.Getpid(), TID: a.tid}
	r := w.Resolve(Path{Raw: "..", Dir: fd, Follow: true})
	defer r.Close()
	require.NoError(t, r.Err)
	assert.Equal(t, want.Ino, r.End.Ino, "above the root's other name")
	root := w.Resolve(Path{Raw: "/..", Dir: fd, Follow: true})
	defer root.Close()
	require.NoError(t, root.Err)
	assert.NotEqual(t, want.Ino, root.End.Ino, "above the root")
}

// TestInNamespace is TestKernel with the powers of a user namespace, in which
// every user has them.
func TestInNamespace(t *testing.T) {
	if os.Getenv(envNamespace) != "" {
		t.Skip("runs in it already")
	}
	if os.Geteuid() == 0 {
		t.Skip("root has these powers without: see TestKernel")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^(TestKernel|TestPlace)$", "-test.v", fmt.Sprintf("-test.short=%v", testing.Short()))
	cmd.Env = append(os.Environ(), envNamespace+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	runtime.LockOSThread() // Pdeathsig is the thread's death
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		t.Skip("no user namespace can be made here: " + err.Error())
	}
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "mounts of its own: true")
}

func FuzzKernel(f *testing.F) {
	random := rand.NewChaCha8([32]byte{7})
	for range 8 {
		data := make([]byte, 512)
		_, _ = random.Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		play(t, data, filepath.Join(t.TempDir(), "base"), mayMount())
	})
}
