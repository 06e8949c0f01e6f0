package attack_test

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
)

// belowTests are victims that use what lies below a directory that is not
// there: whoever makes it first decides what they find.
var belowTests = []victimTest{{
	name: "reads below a missing directory",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadFile(s.FS, s.Path("app", "conf"))
		return absentIsFine(err)
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name: "reads below a missing directory what is its own and has one name",
	victim: func(s *attack.Scene) error {
		f, err := s.FS.OpenFile(s.Path("app", "conf"), os.O_RDONLY|fsfake.O_NOFOLLOW|fsfake.O_NONBLOCK, 0)
		if err != nil {
			return absentIsFine(err)
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		dir, err := lstat(s, s.Path("app"))
		if err != nil {
			return err
		}
		if mine, names := ours(fi); !mine || names != 1 || !dir.IsDir() || !uid(dir) {
			return errors.New("not ours")
		}
		_, err = io.ReadAll(f)
		return err
	},
}, {
	name: "reads below two missing directories",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadFile(s.FS, s.Path("app", "etc", "conf"))
		return absentIsFine(err)
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name: "lists below a missing directory",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadDir(s.FS, s.Path("app", "conf.d"))
		return absentIsFine(err)
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name:   "chmod below a missing directory",
	victim: func(s *attack.Scene) error { return absentIsFine(s.FS.Chmod(s.Path("app", "log"), 0o600)) },
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X01",
}, {
	name: "appends below a missing directory",
	victim: func(s *attack.Scene) error {
		return absentIsFine(put(s.FS, s.Path("app", "log"), os.O_WRONLY|os.O_APPEND, 0, "line"))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X07 X10",
}, {
	name: "makes a file below a missing directory",
	victim: func(s *attack.Scene) error {
		return absentIsFine(put(s.FS, s.Path("app", "log"), newFile, 0o600, "line"))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X06",
}, {
	name:   "removes below a missing directory",
	victim: func(s *attack.Scene) error { return absentIsFine(s.FS.Remove(s.Path("app", "log"))) },
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X01",
}, {
	name:   "removes what is missing, in the shared directory itself",
	victim: func(s *attack.Scene) error { return absentIsFine(s.FS.Remove(s.Path("log"))) },
}, {
	name:   "removes all below a missing directory",
	victim: func(s *attack.Scene) error { return s.FS.RemoveAll(s.Path("app", "cache")) },
	opts:   []attack.Option{attack.Depth(1)},
	want:   "X01",
}, {
	name:   "removes all of what is missing, in the shared directory itself",
	victim: func(s *attack.Scene) error { return s.FS.RemoveAll(s.Path("cache")) },
	opts:   []attack.Option{attack.Depth(1)},
}, {
	name: "looks below a missing directory, then reads",
	victim: func(s *attack.Scene) error {
		if !exists(s, s.Path("app", "conf")) {
			return nil
		}
		_, err := afero.ReadFile(s.FS, s.Path("app", "conf"))
		return err
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X02 X03 X07",
}, {
	name:   "looks below a missing directory",
	victim: func(s *attack.Scene) error { exists(s, s.Path("app", "conf")); return nil },
}, {
	name: "takes a file from below a missing directory home",
	victim: func(s *attack.Scene) error {
		return absentIsFine(s.FS.Rename(s.Path("app", "out"), s.Home+"/new"))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01 X03",
}, {
	name: "two levels, and the first must be no link",
	victim: func(s *attack.Scene) error {
		if fi, err := lstat(s, s.Path("app")); err != nil || !fi.IsDir() {
			return absentIsFine(err)
		}
		return absentIsFine(s.FS.Remove(s.Path("app", "etc", "conf")))
	},
	opts: []attack.Option{attack.Depth(1)},
	want: "X01",
}, {
	name: "two levels, and neither may be a link",
	victim: func(s *attack.Scene) error {
		for _, name := range []string{"app", "app/etc"} {
			if fi, err := lstat(s, s.Path(name)); errors.Is(err, fs.ErrNotExist) {
				return nil
			} else if err != nil || !fi.IsDir() || !uid(fi) {
				return errors.New("not ours")
			}
		}
		return absentIsFine(s.FS.Remove(s.Path("app", "etc", "conf")))
	},
	opts: []attack.Option{attack.Depth(1)},
}, {
	name: "a name below a missing one that is chance",
	victim: func(s *attack.Scene) error {
		_, err := afero.ReadFile(s.FS, unknown(s)+"/conf")
		return absentIsFine(err)
	},
}}
