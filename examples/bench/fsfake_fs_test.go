package bench

import (
	"os"
	"testing"

	blangmem "github.com/blang/vfs/memfs"
	"github.com/go-git/go-billy/v5/memfs"
	hackmem "github.com/hack-pad/hackpadfs/mem"
	"github.com/spf13/afero"

	"github.com/tmpproof/tmpproof/fsfake"
)

// peers are the file systems that the rows run on, each with a directory to
// work in.
var peers = []struct {
	name string
	make func(b *testing.B) (afero.Fs, string)
}{
	{"fsfake", func(*testing.B) (afero.Fs, string) {
		return fsfake.New().As(fsfake.User{UID: 1000, GID: 1000}), "/tmp"
	}},
	{"memmapfs", func(*testing.B) (afero.Fs, string) {
		m := afero.NewMemMapFs()
		m.MkdirAll("/tmp", 0o777)
		return m, "/tmp"
	}},
	{"billy", func(*testing.B) (afero.Fs, string) {
		m := memfs.New()
		m.MkdirAll("/tmp", 0o777)
		return billyFs{fs: m}, "/tmp"
	}},
	{"hackpadfs", func(b *testing.B) (afero.Fs, string) {
		m, err := hackmem.NewFS()
		must(b, err)
		must(b, m.MkdirAll("tmp", 0o777))
		return hackFs{fs: m}, "tmp"
	}},
	{"blang", func(b *testing.B) (afero.Fs, string) {
		m := blangmem.Create()
		must(b, m.Mkdir("/tmp", 0o777))
		return blangFs{fs: m}, "/tmp"
	}},
	{"tmpfs", func(b *testing.B) (afero.Fs, string) {
		dir, err := os.MkdirTemp("/dev/shm", "bench-")
		if err != nil {
			b.Skip(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return afero.NewOsFs(), dir
	}},
}
