package fsfake_test

import (
	"math/rand/v2"
	"os"
	"strings"

	"github.com/tmpproof/tmpproof/fsfake"
)

// chooser gives numbers below n: at random, or from the bytes of a fuzzer.
type chooser interface{ IntN(n int) int }

// byteChooser takes its choices from fuzz input; where that ends, 0.
type byteChooser struct{ data []byte }

func (b *byteChooser) IntN(n int) int {
	v := 0
	for range 2 {
		if len(b.data) > 0 {
			v, b.data = v<<8|int(b.data[0]), b.data[1:]
		}
		if n <= 256 {
			break
		}
	}
	return v % n
}

// generator makes calls that often meet.
type generator struct {
	chooser
	users int
	base  string // before each path; "" if ".." and absolute names are fine too
	tiny  bool   // the disk is small, so that its size is known
	odd   bool   // more of the paths lead through files, links to them and what is missing, or end oddly
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g *generator) name() string {
	if g.chance(2) {
		return pick(g, strings.Repeat("n", 255), strings.Repeat("n", 256), "..x", " ", "é", "a\x00b")
	}
	return pick(g, "a", "b", "c", "d", "e")
}

// path is up to three names long, and sometimes odd.
func (g *generator) path() string {
	p := g.name()
	more, strange := 45, 12
	if g.odd {
		more, strange = 60, 40
	}
	for g.chance(more) && strings.Count(p, "/") < 3 {
		p += pick(g, "/", "/", "/", "/", "//", "/./") + g.name()
	}
	if g.base != "" {
		p = g.base + "/" + p
	} else if g.chance(5) {
		p = "/" + p
	}
	if !g.chance(strange) {
		return p
	}
	switch g.IntN(10) {
	case 0:
		return p + "/."
	case 1:
		return p + "//"
	case 2:
		if g.base == "" {
			return pick(g, "", "/", ".", "..", "/..", "/.")
		}
	case 3:
		if g.base == "" {
			return p + "/.."
		}
	case 4:
		if g.base == "" {
			return p + "/../" + g.name()
		}
	case 5:
		return p + strings.Repeat("/.", pick(g, 2040, 2046, 2047, 2048, 3000))
	}
	return p + "/"
}

func (g *generator) target() string {
	if g.base == "" && g.chance(20) {
		return pick(g, "..", "../", "../"+g.name(), ".", "/", "/"+g.name(), g.name()+"/../"+g.name(), "")
	}
	if g.chance(1) {
		return strings.Repeat("t", pick(g, 127, 128, 255, 256, 4095, 4096))
	}
	return g.path()
}

func (g *generator) mode() uint32 {
	m := pick[uint32](g, 0o777, 0o755, 0o700, 0o666, 0o644, 0o600, 0o444, 0o000, 0o070, 0o007, 0o711, 0o750, 0o770, 0o555)
	if g.chance(25) {
		m |= pick[uint32](g, 0o1000, 0o2000, 0o4000, 0o6000, 0o7000)
	}
	return m
}

func (g *generator) id() int64 {
	return pick[int64](g, -1, 0, 1001, 1002, 2000, 3000)
}

func (g *generator) size() int64 {
	return pick[int64](g, 0, 1, 100, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 200000, 1<<20+5, 5<<20, 1e15, -1)
}

func (g *generator) time() int64 {
	return pick[int64](g, -1, -1, -2, 0, 1, 1e9, 1e9+1)
}

func (g *generator) openFlags() int {
	f := pick(g, os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)
	for _, o := range []struct{ flag, percent int }{
		{os.O_CREATE, 60}, {os.O_EXCL, 20}, {os.O_TRUNC, 20}, {os.O_APPEND, 20},
		{fsfake.O_NOFOLLOW, 15}, {fsfake.O_DIRECTORY, 10}, {fsfake.O_NOATIME, 5},
		{fsfake.O_TMPFILE, 5}, {fsfake.O_PATH, 4}, {3, 2},
	} {
		if g.chance(o.percent) {
			f |= o.flag
		}
	}
	return f | fsfake.O_NONBLOCK
}

func (g *generator) call() call {
	c := call{user: g.IntN(g.users), a: g.path(), handle: g.IntN(handles)}
	type kind struct {
		name   string
		weight int
	}
	kinds := []kind{
		{"open", 18}, {"mkdir", 9}, {"symlink", 6}, {"link", 5}, {"unlink", 5}, {"rmdir", 4}, {"rename", 10},
		{"chmod", 5}, {"chown", 3}, {"lchown", 2}, {"utimens", 3}, {"lutimens", 2}, {"truncate", 3}, {"access", 2},
		{"stat", 2}, {"lstat", 1}, {"readlink", 1}, {"mknod", 2}, {"close", 2}, {"read", 3}, {"pread", 2},
		{"write", 6}, {"pwrite", 3}, {"seek", 2}, {"ftruncate", 3}, {"fchmod", 2}, {"fchown", 1}, {"readdir", 3}, {"flink", 1},
		{"osremove", 3}, {"osremoveall", 4}, {"osmkdirall", 3}, {"osrename", 3}, {"oswritefile", 3}, {"osreadfile", 2},
		{"osreaddir", 4}, {"osempty", 3},
	}
	if g.tiny {
		// Not open: the kernel keeps the inode of a removed directory for as long
		// as a file that was in it is open, and the fake does not.
		kinds = append(kinds[1:], kind{"statfs", 4}, kind{"oswritefile", 12})
	}
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	at := g.IntN(all)
	for _, k := range kinds {
		if c.name = k.name; at < k.weight {
			break
		}
		at -= k.weight
	}
	switch c.name {
	case "open":
		c.flag, c.mode = g.openFlags(), g.mode()
	case "mkdir", "chmod", "fchmod", "osmkdirall":
		c.mode = g.mode()
		if g.base != "" {
			c.mode |= 0o700 // the test itself must read the tree
		}
	case "access":
		c.mode = uint32(g.IntN(9))
	case "mknod":
		c.mode = g.mode() | pick[uint32](g, 0, 0o010000, 0o010000, 0o140000, 0o100000, 0o020000, 0o040000, 0o120000)
	case "symlink":
		c.b = g.target()
	case "link", "osrename":
		c.b = g.path()
	case "oswritefile":
		c.mode, c.n, c.m = g.mode(), g.size(), max(g.size(), 0)
	case "osempty":
		c.flag, c.m = g.IntN(5), g.size()
	case "osreaddir":
		c.flag = g.IntN(3)
	case "rename":
		c.b, c.flag = g.path(), pick(g, 0, 0, 0, 1, 2, 3)
	case "chown", "lchown", "fchown":
		c.n, c.m = g.id(), g.id()
	case "utimens", "lutimens":
		c.n, c.m = g.time(), g.time()
	case "truncate", "ftruncate":
		c.n = g.size()
	case "read", "pread", "write", "pwrite":
		c.n, c.m = g.size(), max(g.size(), 0)
	case "seek":
		c.n, c.flag = g.size(), g.IntN(6)
	}
	return c
}

func (g *generator) calls(n int) []call {
	list := make([]call, n)
	for i := range list {
		list[i] = g.call()
	}
	return list
}

func seeded(seed uint64) chooser { return rand.New(rand.NewPCG(seed, 1)) }

// rootModes are what the directory of a run may be like.
var rootModes = []struct {
	mode     uint32
	uid, gid int
}{{0o1777, 0, 0}, {0o777, 0, 0}, {0o2777, 0, 2000}, {0o755, 1001, 1001}, {0o3775, 1001, 2000}}
