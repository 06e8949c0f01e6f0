package attack_test

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// mayBeKilled accepts what a file with a name cannot help.
var mayBeKilled = attack.Allow(rules.R07, "the file must have a name")

// aside makes a file of a mode, and removes it whatever happens.
func aside(s *attack.Scene, perm fs.FileMode) (err error) {
	p := unknown(s)
	defer func() { err = errors.Join(err, absentIsFine(s.FS.Remove(p))) }()
	return put(s.FS, p, newFile, perm, "secret")
}

// killTests are the oracles of Kills, each with a victim that only it catches
// and the nearest safe one.
var killTests = []victimTest{{
	// R07: what has a name stays after SIGKILL
	name:   "a temporary file with a name",
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	want:   "R07",
}, {
	name:   "a temporary file with a name, which is accepted",
	victim: func(s *attack.Scene) error { return scratch(s, writeNew) },
	opts:   []attack.Option{mayBeKilled},
}, {
	name: "a file that loses its name at once",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		return errors.Join(s.FS.Remove(f.Name()), writeNew(f), f.Close())
	},
}, {
	name: "a file that loses its name after the first write",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.Remove(f.Name()), f.Close()) }()
		return writeNew(f)
	},
	want: "R07",
}, {
	// C05: what stays is private
	name:   "a temporary file that others can read",
	victim: func(s *attack.Scene) error { return aside(s, 0o644) },
	opts:   []attack.Option{mayBeKilled},
	want:   "C05",
}, {
	name:   "a temporary file that others cannot read",
	victim: func(s *attack.Scene) error { return aside(s, 0o600) },
	opts:   []attack.Option{mayBeKilled},
}, {
	name: "a file of any mode in a private directory",
	victim: func(s *attack.Scene) (err error) {
		dir, err := afero.TempDir(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.FS.RemoveAll(dir)) }()
		return put(s.FS, filepath.Join(dir, "f"), newFile, 0o644, "secret")
	},
	opts: []attack.Option{mayBeKilled},
}, {
	// X05: the target is the old one or the new one, whole
	name:   "the target is written in place",
	victim: func(s *attack.Scene) error { return afero.WriteFile(s.FS, s.Path("out"), newContent, 0o600) },
	opts:   overOut,
	want:   "X05",
}, {
	name:   "the target is replaced",
	victim: func(s *attack.Scene) error { return replaceOut(s, writeNew) },
	opts:   append(overOut, mayBeKilled),
}, {
	name: "the old target is moved away first",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error {
			return errors.Join(writeNew(f), s.FS.Rename(s.Path("out"), s.Path("out.old")))
		})
	},
	opts: append(overOut, mayBeKilled, attack.Target("out.old")),
	want: "X05",
}, {
	name: "a directory is filled in place",
	victim: func(s *attack.Scene) error {
		return errors.Join(s.FS.Mkdir(s.Path("app"), 0o700), put(s.FS, s.Path("app", "a"), newFile, 0o600, "a"))
	},
	opts: []attack.Option{attack.Target("app")},
	want: "X05",
}, {
	// R06: a panic is no excuse
	name: "a panic leaves the file",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-")
		if err != nil {
			return err
		}
		_, err = f.Write(newContent)
		return errors.Join(err, f.Close(), s.FS.Remove(f.Name()))
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name: "a panic does not keep the file from being removed",
	victim: func(s *attack.Scene) (err error) {
		f, err := afero.TempFile(s.FS, s.Dir, "work-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close(), s.FS.Remove(f.Name())) }()
		_, err = f.Write(newContent)
		return err
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name: "a panic of a callback leaves the file",
	victim: func(s *attack.Scene) error {
		f, err := afero.TempFile(s.FS, s.Dir, "work-*")
		if err != nil {
			return err
		}
		s.Point()
		return errors.Join(f.Close(), s.FS.Remove(f.Name()))
	},
	opts: []attack.Option{mayBeKilled},
	want: "R06",
}, {
	name: "a panic of a callback does not keep the file from being removed",
	victim: func(s *attack.Scene) error {
		return scratch(s, func(f afero.File) error { s.Point(); return nil })
	},
	opts: []attack.Option{mayBeKilled},
}, {
	name: "a panic is taken for success",
	victim: func(s *attack.Scene) error {
		defer func() { _ = recover() }()
		return replaceOut(s, func(f afero.File) error { s.Point(); return writeNew(f) })
	},
	opts: append(intoOut, mayBeKilled),
	want: "X05",
}, {
	name: "a panic goes on to the caller",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(f afero.File) error { s.Point(); return writeNew(f) })
	},
	opts: append(intoOut, mayBeKilled),
}, {
	name: "a file without a name",
	victim: func(s *attack.Scene) error {
		return unnamed(s, func(afero.File) error { return errors.New("there are unnamed files here") })
	},
}}
