package fsfake_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The differential test runs the same calls on a fake disk and on a tmpfs of
// the kernel, and compares every result and the whole tree after every call.

// call is one system call of one of the users.
type call struct {
	user   int
	name   string
	a, b   string // paths; what a symbolic link says is b
	flag   int
	mode   uint32
	n, m   int64 // ids, sizes, offsets, seconds
	handle int
}

const callFormat = "u%d %s %q %q flag=%#x mode=%#o n=%d m=%d h=%d"

func (c call) String() string {
	return fmt.Sprintf(callFormat, c.user, c.name, c.a, c.b, c.flag, c.mode, c.n, c.m, c.handle)
}

func parseCall(line string) (c call, err error) {
	format := strings.ReplaceAll(callFormat, "%#o", "%v")
	_, err = fmt.Sscanf(line, strings.ReplaceAll(format, "%#x", "%v"), &c.user, &c.name, &c.a, &c.b, &c.flag, &c.mode, &c.n, &c.m, &c.handle)
	return c, err
}

// result is what a call returned, in a form that both sides can give.
type result struct {
	err syscall.Errno
	n   int64
	s   string
}

func (r result) String() string {
	if r.err != 0 {
		return "errno " + r.err.Error()
	}
	return fmt.Sprintf("ok n=%d %s", r.n, r.s)
}

// object is an inode as both sides show it.
type object struct {
	path         string
	ino          uint64
	mode         uint32
	uid, gid     uint32
	nlink        uint64
	rdev         uint64
	size, blocks int64
	target       string
	at, mt, ct   time.Time
}

// world is a side of the comparison.
type world interface {
	do(c call) result
	tree() []object // sorted by path; open handles are "#0", "#1", ...
	end()
}

// account is one of the test's users.
type account struct {
	uid, gid int
	groups   []int
	umask    uint32
}

var accounts = []account{
	{0, 0, nil, 0o022},
	{1001, 1001, []int{2000}, 0o002},
	{1002, 2000, []int{3000}, 0},
}

const handles = 4

// isOld tells times that utimensat set from those of the clock.
func isOld(t time.Time) bool { return t.Year() < 2005 }

// compare returns the first difference between two trees, given the trees
// before the call and whether the call made a directory's time from an inode's.
func compare(kernel, fake, kernel0, fake0 []object, borrowed bool) string {
	if len(kernel) != len(fake) {
		return fmt.Sprintf("kernel has %s\n  fake has %s", paths(kernel), paths(fake))
	}
	kIno, fIno := map[uint64]int{}, map[uint64]int{}
	for i := range kernel {
		k, f := &kernel[i], &fake[i]
		if k.path != f.path {
			return fmt.Sprintf("kernel has %q, fake %q", k.path, f.path)
		}
		diff := func(what string, a, b any) string {
			return fmt.Sprintf("%s of %q: kernel %v, fake %v", what, k.path, a, b)
		}
		switch {
		case k.mode != f.mode:
			return diff("mode", fmt.Sprintf("%#o", k.mode), fmt.Sprintf("%#o", f.mode))
		case k.uid != f.uid || k.gid != f.gid:
			return diff("owner", [2]uint32{k.uid, k.gid}, [2]uint32{f.uid, f.gid})
		case k.nlink != f.nlink:
			return diff("nlink", k.nlink, f.nlink)
		case k.size != f.size:
			return diff("size", k.size, f.size)
		case k.blocks != f.blocks:
			return diff("blocks", k.blocks, f.blocks)
		case k.rdev != f.rdev:
			return diff("rdev", k.rdev, f.rdev)
		case k.target != f.target:
			return diff("target", k.target, f.target)
		case label(kIno, k.ino) != label(fIno, f.ino):
			return diff("inode", k.ino, f.ino)
		case isOld(k.at) != isOld(f.at) || isOld(k.at) && !k.at.Equal(f.at):
			return diff("atime", k.at, f.at)
		case isOld(k.mt) != isOld(f.mt) || isOld(k.mt) && !k.mt.Equal(f.mt):
			return diff("mtime", k.mt, f.mt)
		}
		if k0, f0 := before(kernel0, k), before(fake0, f); k0 != nil && f0 != nil {
			coarse := borrowed && k.mode&0o170000 == 0o040000
			if a, b := !k.mt.Equal(k0.mt), !f.mt.Equal(f0.mt); a != b && (a || !coarse) {
				return diff("change of mtime", a, b)
			}
			if a, b := !k.ct.Equal(k0.ct), !f.ct.Equal(f0.ct); a != b && (a || !coarse) {
				return diff("change of ctime", a, b)
			}
		}
	}
	return ""
}

// borrows tells whether a call that succeeded gave a directory the time of the
// change of an inode in it, as tmpfs does in link, unlink and rename. That time
// is from the coarse clock if this is later than the inode's own, and so within
// one tick may be the time that the directory already has.
func (c call) borrows(r result) bool {
	switch c.name {
	case "link", "flink", "unlink", "rmdir", "rename":
		return r.err == 0
	case "osremove", "osremoveall", "osrename": // which may have failed only in a part
		return true
	}
	return false
}

func label(seen map[uint64]int, ino uint64) int {
	if _, ok := seen[ino]; !ok {
		seen[ino] = len(seen)
	}
	return seen[ino]
}

func before(tree []object, o *object) *object {
	for i := range tree {
		if tree[i].ino == o.ino {
			return &tree[i]
		}
	}
	return nil
}

func paths(tree []object) string {
	var b strings.Builder
	for _, o := range tree {
		fmt.Fprintf(&b, "%q ", o.path)
	}
	return b.String()
}

// play runs calls on both sides and returns the first difference, with the
// number of calls made.
func play(kernel, fake world, calls []call) (diff string, done int) {
	k0, f0 := kernel.tree(), fake.tree()
	if d := compare(k0, f0, nil, nil, false); d != "" {
		return "before the first call: " + d, 0
	}
	for i, c := range calls {
		kr, fr := kernel.do(c), fake.do(c)
		if kr != fr {
			return fmt.Sprintf("%v\n  kernel: %v\n  fake:   %v", c, kr, fr), i + 1
		}
		k, f := kernel.tree(), fake.tree()
		if d := compare(k, f, k0, f0, c.borrows(kr)); d != "" {
			return fmt.Sprintf("after %v\n  %s", c, d), i + 1
		}
		k0, f0 = k, f
	}
	return "", len(calls)
}

// shrink makes a failing list of calls shorter while it still fails.
func shrink(calls []call, fails func([]call) bool) []call {
	for size := len(calls) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(calls); {
			shorter := slices.Concat(calls[:i], calls[i+size:])
			if fails(shorter) {
				calls = shorter
			} else {
				i += size
			}
		}
	}
	return calls
}

// setting gives a number from the environment.
func setting(t testing.TB, name string, or int) int {
	s := os.Getenv(name)
	if s == "" {
		return or
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
