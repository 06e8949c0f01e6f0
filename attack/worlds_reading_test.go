package attack_test

import (
	"errors"
	"path/filepath"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
)

// readingTests are victims that read what is in the shared directory, and take
// it away.
var readingTests = []victimTest{{
	name: "reads a message, then removes it",
	victim: func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("message")); err != nil {
			return absentIsFine(err)
		}
		return s.FS.Remove(s.Path("message"))
	},
	opts: []attack.Option{attack.Moves(attack.File), attack.Unsticky(), attack.Depth(1)},
	want: "X03",
}, {
	name: "removes a message that it has not read",
	victim: func(s *attack.Scene) error {
		if _, err := lstat(s, s.Path("message")); err != nil {
			return absentIsFine(err)
		}
		return s.FS.Remove(s.Path("message"))
	},
	opts: []attack.Option{attack.Moves(attack.File)},
}, {
	name: "removes a message and says that it was none",
	victim: func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("message")); err != nil {
			return absentIsFine(err)
		}
		return errors.Join(errors.New("unexpected message"), s.FS.Remove(s.Path("message")))
	},
	opts: []attack.Option{attack.Moves(attack.File)},
}, {
	name: "a message from a colleague",
	victim: func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("inbox/message")); err != nil {
			return absentIsFine(err)
		}
		return s.FS.Remove(s.Path("inbox/message"))
	},
	opts: []attack.Option{attack.Moves(attack.File, attack.Tamper), attack.Hostile("inbox"), attack.Unsticky(), attack.Setup(func(s *attack.Scene) error {
		return errors.Join(s.FS.Mkdir(s.Path("inbox"), 0o777), afero.WriteFile(s.FS, s.Path("inbox/message"), []byte("x"), 0o666))
	})},
}, {
	name: "reads what others can write, then puts another in its place",
	victim: func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("state")); err != nil {
			return err
		}
		if err := put(s.FS, filepath.Join(s.Home, "new"), newFile, 0o600, "x"); err != nil {
			return err
		}
		return s.FS.Rename(filepath.Join(s.Home, "new"), s.Path("state"))
	},
	opts: []attack.Option{attack.Moves(attack.Tamper), attack.Target("state"), attack.Setup(func(s *attack.Scene) error {
		return errors.Join(afero.WriteFile(s.FS, s.Path("state"), []byte("x"), 0o600), s.FS.Chmod(s.Path("state"), 0o666))
	})},
	want: "X03",
}, {
	name: "reads what only it can write, then puts another in its place",
	victim: func(s *attack.Scene) error {
		if _, err := afero.ReadFile(s.FS, s.Path("state")); err != nil {
			return err
		}
		if err := put(s.FS, filepath.Join(s.Home, "new"), newFile, 0o600, "x"); err != nil {
			return err
		}
		return s.FS.Rename(filepath.Join(s.Home, "new"), s.Path("state"))
	},
	opts: []attack.Option{attack.Moves(attack.Tamper), attack.Target("state"), attack.Setup(func(s *attack.Scene) error {
		return afero.WriteFile(s.FS, s.Path("state"), []byte("x"), 0o600)
	})},
}}
