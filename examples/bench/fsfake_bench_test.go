package bench

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/afero"

	"github.com/tmpproof/tmpproof/fsfake"
)

// row is one benchmark, run on every peer. dir is empty when it begins.
type row struct {
	name string
	run  func(b *testing.B, f afero.Fs, dir string)
	not  string // peers that cannot
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

func write(b *testing.B, f afero.Fs, name string, p []byte) {
	h, err := f.Create(name)
	must(b, err)
	_, err = h.Write(p)
	must(b, err)
	must(b, h.Close())
}

func fill(b *testing.B, f afero.Fs, dir string, n int) {
	for i := range n {
		write(b, f, dir+"/file"+strconv.Itoa(i), []byte("x"))
	}
}

var hundred = make([]byte, 100)

// deep makes a directory eight levels down with a file in it.
func deep(b *testing.B, f afero.Fs, dir string) string {
	d := dir + "/a1/b2/c3/d4/e5/f6/g7/h8"
	must(b, f.MkdirAll(d, 0o755))
	write(b, f, d+"/leaf.txt", hundred)
	return d + "/leaf.txt"
}

var rows = []row{
	{"CreateWrite100Close", func(b *testing.B, f afero.Fs, dir string) {
		names := make([]string, 1024)
		for i := range names {
			names[i] = dir + "/f" + strconv.Itoa(i)
		}
		for i := 0; b.Loop(); i++ {
			write(b, f, names[i%1024], hundred)
		}
	}, ""},
	{"CreateFresh", func(b *testing.B, f afero.Fs, dir string) {
		for i := 0; b.Loop(); i++ {
			h, err := f.OpenFile(dir+"/f"+strconv.Itoa(i), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			must(b, err)
			h.Close()
		}
	}, ""},
	{"OpenRead4K", func(b *testing.B, f afero.Fs, dir string) {
		write(b, f, dir+"/x", make([]byte, 4096))
		p := make([]byte, 4096)
		for b.Loop() {
			h, err := f.Open(dir + "/x")
			must(b, err)
			_, err = io.ReadFull(h, p)
			must(b, err)
			h.Close()
		}
	}, ""},
	{"StatDeepHit", func(b *testing.B, f afero.Fs, dir string) {
		name := deep(b, f, dir)
		for b.Loop() {
			_, err := f.Stat(name)
			must(b, err)
		}
	}, ""},
	{"StatMiss", func(b *testing.B, f afero.Fs, dir string) {
		name := strings.TrimSuffix(deep(b, f, dir), "leaf.txt") + "none"
		for b.Loop() {
			if _, err := f.Stat(name); err == nil {
				b.Fatal("found")
			}
		}
	}, ""},
	{"MkdirAll8", func(b *testing.B, f afero.Fs, dir string) {
		for i := 0; b.Loop(); i++ {
			must(b, f.MkdirAll(dir+"/"+strconv.Itoa(i)+"/b/c/d/e/f/g/h", 0o755))
		}
	}, ""},
	{"MkdirAll8Exists", func(b *testing.B, f afero.Fs, dir string) {
		must(b, f.MkdirAll(dir+"/a/b/c/d/e/f/g/h", 0o755))
		for b.Loop() {
			must(b, f.MkdirAll(dir+"/a/b/c/d/e/f/g/h", 0o755))
		}
	}, ""},
	{"Rename", func(b *testing.B, f afero.Fs, dir string) {
		fill(b, f, dir, 1000)
		x, y := dir+"/x", dir+"/y"
		write(b, f, x, hundred)
		for b.Loop() {
			must(b, f.Rename(x, y))
			x, y = y, x
		}
	}, ""},
	{"AtomicWrite", func(b *testing.B, f afero.Fs, dir string) {
		for b.Loop() {
			write(b, f, dir+"/x.tmp", hundred)
			must(b, f.Rename(dir+"/x.tmp", dir+"/x"))
		}
	}, "blang"}, // which does not replace
	{"CreateRemove", func(b *testing.B, f afero.Fs, dir string) {
		for b.Loop() {
			h, err := f.Create(dir + "/x")
			must(b, err)
			h.Close()
			must(b, f.Remove(dir+"/x"))
		}
	}, ""},
	{"Readdir10k", func(b *testing.B, f afero.Fs, dir string) {
		fill(b, f, dir, 10_000)
		for b.Loop() {
			h, err := f.Open(dir)
			must(b, err)
			l, err := h.Readdir(-1)
			must(b, err)
			if len(l) != 10_000 {
				b.Fatal(len(l))
			}
			h.Close()
		}
	}, ""},
	{"Readdirnames10k", func(b *testing.B, f afero.Fs, dir string) {
		fill(b, f, dir, 10_000)
		for b.Loop() {
			h, err := f.Open(dir)
			must(b, err)
			l, err := h.Readdirnames(-1)
			must(b, err)
			if len(l) != 10_000 {
				b.Fatal(len(l))
			}
			h.Close()
		}
	}, ""},
	{"Walk1k", func(b *testing.B, f afero.Fs, dir string) {
		for i := range 30 {
			d := fmt.Sprintf("%s/d%d/e%d", dir, i%5, i)
			must(b, f.MkdirAll(d, 0o755))
			fill(b, f, d, 32)
		}
		for b.Loop() {
			n := 0
			must(b, afero.Walk(f, dir, func(string, fs.FileInfo, error) error { n++; return nil }))
			if n < 960 {
				b.Fatal(n)
			}
		}
	}, "billy"},
	{"RemoveAll10k", func(b *testing.B, f afero.Fs, dir string) {
		for b.Loop() {
			b.StopTimer()
			must(b, f.Mkdir(dir+"/all", 0o755))
			fill(b, f, dir+"/all", 10_000)
			b.StartTimer()
			must(b, f.RemoveAll(dir+"/all"))
		}
	}, "billy"},
	{"SeqWrite64M", func(b *testing.B, f afero.Fs, dir string) {
		p := make([]byte, 64<<10)
		b.SetBytes(64 << 20)
		for b.Loop() {
			h, err := f.Create(dir + "/big")
			must(b, err)
			for range 1024 {
				_, err := h.Write(p)
				must(b, err)
			}
			h.Close()
			must(b, f.Remove(dir+"/big"))
		}
	}, ""},
	{"RandWriteAt1M", randomWrites(1 << 20), ""},
	{"RandWriteAt16M", randomWrites(16 << 20), ""},
	{"Append100", func(b *testing.B, f afero.Fs, dir string) {
		h, err := f.OpenFile(dir+"/log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		must(b, err)
		defer h.Close()
		for i := 0; b.Loop(); i++ {
			if i%200_000 == 199_999 { // 20 MB are enough
				must(b, h.Truncate(0))
			}
			_, err := h.Write(hundred)
			must(b, err)
		}
	}, ""},
	{"ParallelCreate", func(b *testing.B, f afero.Fs, dir string) {
		parallel(b, func(g, n int) {
			d := dir + "/own" + strconv.Itoa(g)
			if err := f.MkdirAll(d, 0o755); err != nil {
				panic(err)
			}
			names := make([]string, 1024)
			for i := range names {
				names[i] = d + "/f" + strconv.Itoa(i)
			}
			for i := range n {
				h, err := f.Create(names[i%1024])
				if err != nil {
					panic(err)
				}
				h.Write(hundred)
				h.Close()
			}
		})
	}, "billy"},
	{"ParallelStat", func(b *testing.B, f afero.Fs, dir string) {
		name := deep(b, f, dir)
		parallel(b, func(_, n int) {
			for range n {
				if _, err := f.Stat(name); err != nil {
					panic(err)
				}
			}
		})
	}, "billy"},
}

func randomWrites(size int64) func(*testing.B, afero.Fs, string) {
	return func(b *testing.B, f afero.Fs, dir string) {
		write(b, f, dir+"/x", make([]byte, size))
		h, err := f.OpenFile(dir+"/x", os.O_RDWR, 0)
		must(b, err)
		defer h.Close()
		p := make([]byte, 512)
		at := uint64(1)
		for b.Loop() {
			at = at*6364136223846793005 + 1442695040888963407
			_, err := h.WriteAt(p, int64(at>>20)%(size-512))
			must(b, err)
		}
	}
}

// parallel runs two goroutines that share b.N operations.
func parallel(b *testing.B, run func(g, n int)) {
	var wg sync.WaitGroup
	b.ResetTimer()
	for g := range 2 {
		wg.Go(func() { run(g, (b.N+g)/2) })
	}
	wg.Wait()
}

func BenchmarkFS(b *testing.B) {
	for _, r := range rows {
		for _, p := range peers {
			if strings.Contains(r.not, p.name) {
				continue
			}
			b.Run(r.name+"/fs="+p.name, func(b *testing.B) {
				f, top := p.make(b)
				dir := top + "/work"
				if err := f.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
					b.Fatal(err)
				}
				b.ReportAllocs()
				r.run(b, f, dir)
			})
		}
	}
}

// BenchmarkScale shows that the cost of an operation does not grow with the
// number of files on the disk, nor that of a snapshot.
func BenchmarkScale(b *testing.B) {
	for _, files := range []int{1_000, 100_000, 1_000_000} {
		disk := fsfake.New()
		f, dir := disk.As(fsfake.User{}), "/tmp"
		for i := 0; i < files; i += 1000 {
			d := dir + "/" + strconv.Itoa(i)
			must(b, f.Mkdir(d, 0o755))
			fill(b, f, d, 1000)
		}
		b.Run("StatCreateRemove/files="+strconv.Itoa(files), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				d := dir + "/" + strconv.Itoa(i*7919%files/1000*1000)
				_, err := f.Stat(d + "/file77")
				must(b, err)
				write(b, f, d+"/new", hundred)
				must(b, f.Remove(d+"/new"))
			}
		})
		b.Run("SnapshotRestore/files="+strconv.Itoa(files), func(b *testing.B) {
			for b.Loop() {
				s := disk.Snapshot()
				must(b, f.Remove(dir+"/0/file7"))
				disk.Restore(s)
			}
		})
	}
}
