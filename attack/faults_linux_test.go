package attack_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/spf13/afero"
	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// systemFaults are further victims of Faults, which work with programs and system
// calls of their own.
var systemFaults = []victimTest{{
	name: "it ends the process when a call fails",
	victim: func(s *attack.Scene) error {
		if _, err := os.Stat(s.Path()); err != nil {
			os.Exit(1)
		}
		return nil
	},
	want: "X07",
}, {
	// R13: programs end with it
	name: "a program is left when a call fails",
	victim: func(s *attack.Scene) error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		if _, err := os.Stat(s.Path()); err != nil {
			return err
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil
	},
	want: "R13",
}, {
	name: "a program is ended on each way out",
	victim: func(s *attack.Scene) error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		_, err := os.Stat(s.Path())
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	},
}, {
	// a connect that does not wait is not interrupted
	name: "a client and its server at a unix socket",
	victim: func(s *attack.Scene) (err error) {
		l, err := net.Listen("unix", s.Path("s"))
		if err != nil {
			return err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false) // which swallows the error
		defer func() { err = errors.Join(err, l.Close(), os.Remove(s.Path("s"))) }()
		c, err := net.Dial("unix", s.Path("s"))
		if err != nil {
			return err
		}
		return c.Close()
	},
	opts: []attack.Option{attack.Target("s")},
}, {
	name: "a server that does not say that its socket stays",
	victim: func(s *attack.Scene) error {
		l, err := net.Listen("unix", s.Path("s"))
		if err != nil {
			return err
		}
		return l.Close()
	},
	opts: []attack.Option{attack.Target("s")},
	want: "R11",
}, {
	name: "sh: the file stays when the command fails",
	victim: func(s *attack.Scene) error {
		return exec.Command("/bin/sh", "-c", `set -e; f=$(mktemp); echo x > "$f"; rm "$f"`).Run()
	},
	want: "R05",
	slow: true,
}, {
	name: "a write that was cut is taken for whole",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(file afero.File) error {
			f := file.(*os.File)
			_, err := unix.Write(int(f.Fd()), newContent)
			for err == unix.EINTR {
				_, err = unix.Write(int(f.Fd()), newContent)
			}
			return err
		})
	},
	opts: intoOut,
	want: "X05",
}, {
	name: "a write that was cut goes on",
	victim: func(s *attack.Scene) error {
		return replaceOut(s, func(file afero.File) error {
			f := file.(*os.File)
			for rest := newContent; len(rest) > 0; {
				n, err := unix.Write(int(f.Fd()), rest)
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		})
	},
	opts: intoOut,
}}

// TestFaults: each victim is found to break exactly these rules, and in the same
// words on a fake disk.
func TestFaults(t *testing.T) {
	for _, tt := range attack.Sample(slices.Concat(faultTests, promiseTests)) {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.agrees(t, attack.Faults) })
	}
	for _, tt := range attack.Sample(systemFaults) {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.run(t, attack.Faults) })
	}
}
