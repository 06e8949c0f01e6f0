package attack_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// sh runs a shell in Dir. What it says on its standard error is lost.
func sh(script string) attack.Victim {
	return func(s *attack.Scene) error {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Dir = s.Dir
		return cmd.Run()
	}
}

// at opens a directory, if it is there, and gives its descriptor to f.
func at(s *attack.Scene, dir string, flags int, f func(fd int) error) error {
	fd, err := unix.Open(s.Path(dir), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return absentIsFine(err)
	}
	return errors.Join(f(fd), unix.Close(fd))
}

var deep1 = attack.Depth(1)

// belowLinuxTests are like belowTests, by means that the fake disk has not.
var belowLinuxTests = []victimTest{{
	name: "runs a program below a missing directory",
	victim: func(s *attack.Scene) error {
		err := exec.Command(s.Path("bin", "hook")).Run()
		if errors.Is(err, fs.ErrPermission) { // what can be no program is ours to refuse
			return err
		}
		return absentIsFine(err)
	},
	opts: []attack.Option{deep1},
	want: "X03",
}, {
	name: "looks for a program below a private directory",
	victim: func(s *attack.Scene) error {
		return absentIsFine(exec.Command(filepath.Join(s.Home, "bin", "hook"), s.Dir).Run())
	},
}, {
	name:   "truncates below a missing directory",
	victim: func(s *attack.Scene) error { return absentIsFine(os.Truncate(s.Path("app", "log"), 0)) },
	opts:   []attack.Option{deep1},
	want:   "X01",
}, {
	name:   "chown below a missing directory",
	victim: func(s *attack.Scene) error { return absentIsFine(os.Chown(s.Path("app", "log"), os.Getuid(), -1)) },
	opts:   []attack.Option{deep1},
	want:   "X01",
}, {
	name:   "cd, then rm",
	victim: sh("cd e 2>/dev/null && rm -f x; exit 0"),
	opts:   []attack.Option{deep1},
	want:   "X01",
}, {
	name:   "cd or nothing, then chmod",
	victim: sh("cd e 2>/dev/null || exit 0; [ -f y ] && chmod 600 y; exit 0"),
	opts:   []attack.Option{deep1},
	want:   "X01",
}, {
	name:   "cd or an error, then a look",
	victim: sh("cd e 2>/dev/null || exit 0; [ -f y ]; exit 0"),
	opts:   []attack.Option{deep1},
}, {
	name:   "source below a missing directory",
	victim: sh("[ -f e/env ] && . e/env; exit 0"),
	opts:   []attack.Option{deep1},
	want:   "X03",
}, {
	name: "removes by the descriptor of a directory",
	victim: func(s *attack.Scene) error {
		return at(s, "app", 0, func(fd int) error { return absentIsFine(unix.Unlinkat(fd, "lock", 0)) })
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "removes by the descriptor of a directory that is no link",
	victim: func(s *attack.Scene) error {
		return at(s, "app", unix.O_NOFOLLOW, func(fd int) error { return absentIsFine(unix.Unlinkat(fd, "lock", 0)) })
	},
	opts: []attack.Option{deep1},
}, {
	name: "chmod by the descriptor of a directory that is no link",
	victim: func(s *attack.Scene) error {
		return at(s, "app", unix.O_NOFOLLOW, func(fd int) error { return absentIsFine(unix.Fchmodat(fd, "conf", 0o600, 0)) })
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "two levels below the descriptor of a directory that is no link",
	victim: func(s *attack.Scene) error {
		return at(s, "app", unix.O_NOFOLLOW, func(fd int) error { return absentIsFine(unix.Unlinkat(fd, "etc/lock", 0)) })
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "changes into a missing directory, then a relative name",
	victim: func(s *attack.Scene) error {
		return inPrivateThread(func() error {
			if err := unix.Chdir(s.Path("app")); err != nil {
				return absentIsFine(err)
			}
			return absentIsFine(unix.Unlink("lock"))
		})
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "links what is below a missing directory home, then chmod",
	victim: func(s *attack.Scene) error {
		if err := os.Link(s.Path("app", "key"), filepath.Join(s.Home, "key")); err != nil {
			return absentIsFine(err)
		}
		return os.Chmod(filepath.Join(s.Home, "key"), 0o600)
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "exchanges a directory with what is in it",
	victim: func(s *attack.Scene) error {
		_ = unix.Renameat2(unix.AT_FDCWD, s.Path("d"), unix.AT_FDCWD, s.Path("d", "x"), unix.RENAME_EXCHANGE) // EINVAL
		return nil
	},
	opts: []attack.Option{deep1, attack.Unsticky(), dirWith("x")},
	want: "X01",
}, {
	name: "the same where it belongs to nobody yet",
	victim: func(s *attack.Scene) error {
		_ = unix.Renameat2(unix.AT_FDCWD, s.Path("d"), unix.AT_FDCWD, s.Path("d", "x"), unix.RENAME_EXCHANGE)
		return nil
	},
	opts: []attack.Option{deep1},
	want: "X01",
}, {
	name: "the same under the sticky bit",
	victim: func(s *attack.Scene) error {
		_ = unix.Renameat2(unix.AT_FDCWD, s.Path("d"), unix.AT_FDCWD, s.Path("d", "x"), unix.RENAME_EXCHANGE)
		return nil
	},
	opts: []attack.Option{dirWith("x")},
}, {
	name:   "a lock in a shell, and mktemp where it is taken",
	victim: sh(`umask 077; if mkdir app.lock; then rmdir app.lock; else f=$(mktemp "$PWD/app.XXXXXX") || exit 1; echo x > "$f"; rm "$f"; fi 2>/dev/null`),
	opts:   []attack.Option{lockIsKnown},
}, {
	name:   "a lock in a shell, and mktemp -d where it is taken",
	victim: sh(`umask 077; if mkdir app.lock; then rmdir app.lock; else d=$(mktemp -d "$PWD/app.XXXXXX") || exit 1; echo x > "$d/f"; rm -r "$d"; fi 2>/dev/null`),
	opts:   []attack.Option{lockIsKnown},
}, {
	name:   "a lock in a shell, and a number where it is taken",
	victim: sh(`umask 077; if mkdir app.lock; then rmdir app.lock; else echo x > app.2; rm app.2; fi 2>/dev/null`),
	opts:   []attack.Option{lockIsKnown},
	want:   "X01 X06 X07 X10",
}}

func TestBelow(t *testing.T) {
	for _, tt := range attack.RaceSample(belowLinuxTests) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, attack.Prove)
		})
	}
}
