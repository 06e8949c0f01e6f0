package safe

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/containerd/continuity"
	contfs "github.com/containerd/continuity/fs"
	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"github.com/gofrs/flock"
	renameio1 "github.com/google/renameio"
	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-safetemp"
	"github.com/moby/sys/atomicwriter"
	"github.com/natefinch/atomic"
	"github.com/otiai10/copy"
	"github.com/spf13/afero"
	"golang.org/x/sys/unix"
	"tailscale.com/atomicfile"
)

func renameioV1(dir, _ string) error {
	return renameio1.WriteFile(filepath.Join(dir, "out"), content, 0o600)
}

func renameioV1Home(_, home string) error {
	return renameio1.WriteFile(filepath.Join(home, "out"), content, 0o600)
}

func renameioV1Symlink(_, home string) error {
	return renameio1.Symlink("target", filepath.Join(home, "current"))
}

func renameioV2(dir, _ string) error {
	return pendingFile(filepath.Join(dir, "out"))
}

func renameioV2Pending(dir, home string) error {
	return pendingFile(filepath.Join(home, "out"), renameio.WithTempDir(dir))
}

// pendingFile has a mode of its own; WriteFile takes that of what is there.
func pendingFile(name string, opts ...renameio.Option) error {
	f, err := renameio.NewPendingFile(name, append(opts, renameio.WithStaticPermissions(0o600))...)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Cleanup())
	}
	return errors.Join(f.CloseAtomicallyReplace(), f.Cleanup())
}

func renameioV2Root(dir, _ string) error {
	return inside(dir, func(p string) error {
		r, err := os.OpenRoot(p)
		if err != nil {
			return err
		}
		defer r.Close()
		return renameio.WriteFile("out", content, 0o600, renameio.WithRoot(r))
	})
}

func atomicwriterFile(dir, _ string) error {
	return atomicwriter.WriteFile(filepath.Join(dir, "out"), content, 0o600)
}

func atomicwriterSet(dir, home string) error {
	set, err := atomicwriter.NewWriteSet(dir)
	if err != nil {
		return err
	}
	if err := set.WriteFile("a", content, 0o600); err != nil {
		return errors.Join(err, set.Cancel())
	}
	if err := set.WriteFile("b", content, 0o600); err != nil {
		return errors.Join(err, set.Cancel())
	}
	if err := set.Commit(filepath.Join(home, "set")); err != nil {
		return errors.Join(err, set.Cancel())
	}
	return nil
}

func natefinchAtomic(_, home string) error {
	return atomic.WriteFile(filepath.Join(home, "out"), bytes.NewReader(content))
}

func tailscaleAtomicfile(dir, _ string) error {
	return atomicfile.WriteFile(filepath.Join(dir, "out"), content, 0o600)
}

func continuityAtomic(dir, _ string) error {
	return inside(dir, func(p string) error {
		return continuity.AtomicWriteFile(filepath.Join(p, "out"), content, 0o600)
	})
}

func continuityCopyDir(dir, home string) error {
	from := filepath.Join(home, "from")
	if err := errors.Join(os.MkdirAll(filepath.Join(from, "sub"), 0o755), os.WriteFile(filepath.Join(from, "sub", "file"), content, 0o644)); err != nil {
		return err
	}
	return inside(dir, func(p string) error { return contfs.CopyDir(filepath.Join(p, "to"), from) })
}

func safetempDir(dir, _ string) (err error) {
	d, closer, err := safetemp.Dir(dir, "work")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if err := os.Mkdir(d, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d, "file"), content, 0o644)
}

// pathrsUploads resolves a name in a tree that others write in.
func pathrsUploads(dir, home string) error {
	// OpenInRoot would follow a link in the place of the tree itself.
	root, err := os.OpenFile(filepath.Join(dir, "uploads"), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer root.Close()
	h, err := pathrs.OpenatInRoot(root, "album/photo")
	if err != nil {
		return err
	}
	defer h.Close()
	if err := onlyName(h); err != nil {
		return err
	}
	f, err := pathrs.Reopen(h, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	data := make([]byte, 16)
	n, err := f.Read(data)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "photo"), data[:n], 0o600)
}

func pathrsMkdirAll(dir, _ string) error {
	return inside(dir, func(p string) error { return pathrs.MkdirAll(p, "a/b/c", 0o700) })
}

func flockInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		l := flock.New(filepath.Join(p, "lock"))
		if ok, err := l.TryLock(); err != nil || !ok {
			return errors.Join(err, errors.New("not locked"))
		}
		return l.Unlock()
	})
}

func copyInside(dir, home string) error {
	from := filepath.Join(home, "from")
	if err := errors.Join(os.Mkdir(from, 0o755), os.WriteFile(filepath.Join(from, "file"), content, 0o644)); err != nil {
		return err
	}
	return inside(dir, func(p string) error { return copy.Copy(from, filepath.Join(p, "to")) })
}

func aferoInside(dir, _ string) error {
	return inside(dir, func(p string) error {
		base := afero.NewBasePathFs(afero.NewOsFs(), p)
		if err := base.MkdirAll("a/b", 0o755); err != nil {
			return err
		}
		return afero.WriteFile(base, "a/b/file", content, 0o644)
	})
}

// aferoTempDir removes what it made. Its parent is private: afero's names can
// be computed from an earlier one.
func aferoTempDir(_, home string) (err error) {
	d, err := afero.TempDir(afero.NewOsFs(), home, "work")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d)) }()
	return os.WriteFile(filepath.Join(d, "file"), content, 0o600)
}
