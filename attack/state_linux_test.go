package attack_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// readConfig reads a file that may be absent, no link, and whoever's it is.
func readConfig(s *attack.Scene) error { return readOwn(s, false) }

// readOwnConfig is its safe twin, which looks whose file it is.
func readOwnConfig(s *attack.Scene) error { return readOwn(s, true) }

func readOwn(s *attack.Scene, own bool) error {
	f, err := os.OpenFile(s.Path("conf"), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if st := fi.Sys().(*syscall.Stat_t); !fi.Mode().IsRegular() || st.Nlink != 1 || own && int(st.Uid) != os.Geteuid() {
		return errors.New("not a file of ours")
	}
	_, err = io.ReadAll(f)
	return err
}

// keeping are victims that keep something in their process around what they
// do, each made anew for each test.
var keeping = []struct {
	name  string
	state bool // that must be named
	make  func(do attack.Victim) attack.Victim
}{
	{"nothing", false, func(do attack.Victim) attack.Victim { return do }},
	{"a registration that succeeds once", true, func(do attack.Victim) attack.Victim {
		registered := false
		return func(s *attack.Scene) error {
			err := do(s)
			if registered {
				return errors.New("registered already")
			}
			registered = true
			return err
		}
	}},
	{"an error that is kept", true, func(do attack.Victim) attack.Victim {
		var kept error
		return func(s *attack.Scene) error {
			if err := do(s); kept == nil {
				kept = err
			}
			return kept
		}
	}},
	{"an error that is kept and checked first", true, func(do attack.Victim) attack.Victim {
		var kept error
		return func(s *attack.Scene) error {
			if kept != nil {
				return kept
			}
			kept = do(s)
			return kept
		}
	}},
	{"a sync.Once that keeps an error", true, func(do attack.Victim) attack.Victim {
		var once sync.Once
		var kept error
		return func(s *attack.Scene) error {
			err := do(s)
			if err != nil {
				once.Do(func() { kept = err })
			}
			return errors.Join(err, kept)
		}
	}},
	{"a bound on runs", true, func(do attack.Victim) attack.Victim {
		runs := 0
		return func(s *attack.Scene) error {
			err := do(s)
			if runs++; runs > 5 {
				return errors.New("too many")
			}
			return err
		}
	}},
	{"a rate limit", true, func(do attack.Victim) attack.Victim {
		var last time.Time
		return func(s *attack.Scene) error {
			err := do(s)
			if time.Since(last) < time.Minute {
				return errors.New("slow down")
			}
			last = time.Now()
			return err
		}
	}},
	{"a pause after an error", true, func(do attack.Victim) attack.Victim {
		var failed time.Time
		return func(s *attack.Scene) error {
			err := do(s)
			if time.Since(failed) < 300*time.Millisecond {
				return errors.New("not so soon after a failure")
			}
			if err != nil {
				failed = time.Now()
			}
			return err
		}
	}},
	{"an error that the next run returns again", true, func(do attack.Victim) attack.Victim {
		var kept error
		return func(s *attack.Scene) error {
			if err := kept; err != nil {
				_, kept = do(s), nil
				return err
			}
			kept = do(s)
			return kept
		}
	}},
	{"an abstract socket", true, func(do attack.Victim) attack.Victim {
		return func(s *attack.Scene) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			err = do(s)
			return errors.Join(err, unix.Bind(fd, &unix.SockaddrUnix{Name: "@" + s.Dir}))
		}
	}},
	{"a lowered limit", false, func(do attack.Victim) attack.Victim {
		return func(s *attack.Scene) error {
			var limit unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
				return err
			}
			if err := do(s); err != nil {
				limit.Cur = 10
				_ = unix.Setrlimit(unix.RLIMIT_FSIZE, &limit)
				return err
			}
			if limit.Cur == 10 {
				return errors.New("no room")
			}
			return nil
		}
	}},
	{"closed standard input", false, func(do attack.Victim) attack.Victim {
		return func(s *attack.Scene) error {
			if err := do(s); err != nil {
				_ = unix.Close(0)
				return err
			}
			_, err := unix.FcntlInt(0, unix.F_GETFD, 0)
			return err
		}
	}},
	{"the environment", false, func(do attack.Victim) attack.Victim {
		return func(s *attack.Scene) error {
			if err := do(s); err != nil {
				_ = os.Setenv("FAILED", "1")
				return err
			}
			if os.Getenv("FAILED") != "" {
				return errors.New("failed before")
			}
			return nil
		}
	}},
	{"the working directory and the umask", false, func(do attack.Victim) attack.Victim {
		before, _ := os.Getwd()
		return func(s *attack.Scene) error {
			if err := do(s); err != nil {
				unix.Umask(0o077)
				_ = os.Chdir("/")
				return err
			}
			if now, _ := os.Getwd(); now != before || unix.Umask(0) != 0 {
				return errors.New("not where it was")
			}
			return nil
		}
	}},
}

// TestKeepsState: what a process keeps hides no damage, and the report says
// that it kept something. The safe twin of each is clean.
func TestKeepsState(t *testing.T) {
	for _, tt := range keeping {
		t.Run(tt.name, func(t *testing.T) {
			states := func(r *attack.Report) bool { return len(kinds(r)["state"]) > 0 }
			t.Run("broken", func(t *testing.T) {
				r := attack.Prove(t, tt.make(readConfig), attack.Expect(rules.X03))
				assert.True(t, r.Complete)
				assert.Equal(t, tt.state, states(r), "%v", r.Assumptions)
			})
			t.Run("safe", func(t *testing.T) {
				r := attack.Prove(t, tt.make(readOwnConfig), attack.Expect())
				assert.True(t, r.Complete)
				assert.Equal(t, tt.state, states(r), "%v", r.Assumptions)
			})
		})
	}
}
