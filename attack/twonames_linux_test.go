package attack_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/fsfake"
	"golang.org/x/sys/unix"
)

// Calls that take two names, each looked at at every name that it makes or
// changes.

// secretIn makes a file of the victim's with content and a mode.
func secretIn(path string, perm fs.FileMode) error { return write(path, excl, perm, "secret") }

// twoNames makes out in Dir, private and empty, and a file with a mode in Home,
// and calls f with both names.
func twoNames(perm fs.FileMode, f func(shared, private string) error) attack.Victim {
	return func(s *attack.Scene) error {
		shared, private := s.Path("out"), filepath.Join(s.Home, "new")
		return errors.Join(write(shared, excl, 0o600, ""), secretIn(private, perm), f(shared, private))
	}
}

func renameFlags(flags uint) func(from, to string) error {
	return func(from, to string) error { return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags) }
}

func swapped(f func(a, b string) error) func(a, b string) error {
	return func(a, b string) error { return f(b, a) }
}

// over removes what is at the new name first.
func over(f func(from, to string) error) func(shared, private string) error {
	return func(shared, private string) error { return errors.Join(os.Remove(shared), f(private, shared)) }
}

func linkFlags(name func(private string) (dir int, path string, done func()), flags int) func(from, to string) error {
	return func(from, to string) error {
		dir, path, done := name(from)
		defer done()
		return unix.Linkat(dir, path, unix.AT_FDCWD, to, flags)
	}
}

func byName(private string) (int, string, func()) { return unix.AT_FDCWD, private, func() {} }

func byLink(private string) (int, string, func()) {
	link := private + ".link"
	_ = os.Symlink(private, link)
	return unix.AT_FDCWD, link, func() {}
}

func byFD(private string) (int, string, func()) {
	fd, err := unix.Open(private, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, "", func() {}
	}
	return unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), func() { unix.Close(fd) }
}

var twoNameCalls = []struct {
	name string
	call func(shared, private string) error
}{
	{"rename", over(os.Rename)},
	{"rename over", swapped(os.Rename)},
	{"renameat2 without replacing", over(renameFlags(unix.RENAME_NOREPLACE))},
	{"exchange, Dir's name first", renameFlags(unix.RENAME_EXCHANGE)},
	{"exchange, Dir's name last", swapped(renameFlags(unix.RENAME_EXCHANGE))},
	{"link", over(os.Link)},
	{"link through a symbolic link", over(linkFlags(byLink, unix.AT_SYMLINK_FOLLOW))},
	{"link by name, following", over(linkFlags(byName, unix.AT_SYMLINK_FOLLOW))},
	{"link by descriptor", over(linkFlags(byFD, unix.AT_SYMLINK_FOLLOW))},
}

// TestTwoNames: what such a call puts into Dir can be read by others or not,
// and is seen at whichever of its names it is put.
func TestTwoNames(t *testing.T) {
	for _, tt := range twoNameCalls {
		for name, row := range map[string]struct {
			perm fs.FileMode
			want string
		}{"broken": {0o644, "X04"}, "safe": {0o600, ""}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := attack.Prove(t, twoNames(row.perm, tt.call), attack.Target("out"), attack.ReportOnly())
				assert.Equal(t, row.want, rulesOf(r), texts(r))
				assert.True(t, r.Complete)
				show(t, r)
			})
		}
	}
}

// inOwn puts something at a name in a directory of Dir that the attacker may
// have made.
func inOwn(mkdir func(string, fs.FileMode) error, f func(at, spare string) error) attack.Victim {
	return func(s *attack.Scene) error {
		dir := s.Path("app")
		if err := mkdir(dir, 0o700); err != nil {
			return err
		}
		spare := filepath.Join(s.Home, "spare")
		return errors.Join(secretIn(spare, 0o600), f(dir+"/item", spare), os.RemoveAll(dir))
	}
}

var adoptTests = []struct {
	name string
	f    func(at, spare string) error
}{
	{"rename", swapped(os.Rename)},
	{"link", swapped(os.Link)},
	{"symlink", swapped(os.Symlink)},
	{"exchange, its name first", func(at, spare string) error {
		return errors.Join(secretIn(at, 0o600), renameFlags(unix.RENAME_EXCHANGE)(at, spare))
	}},
	{"exchange with what is there", func(at, spare string) error {
		if err := renameFlags(unix.RENAME_EXCHANGE)(spare, at); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}},
	{"exchange, its name last", func(at, spare string) error {
		return errors.Join(secretIn(at, 0o600), renameFlags(unix.RENAME_EXCHANGE)(spare, at))
	}},
}

// TestTwoNamesAdopted: the attacker's directory is used as the code's own,
// whichever call puts something there.
func TestTwoNamesAdopted(t *testing.T) {
	for _, tt := range adoptTests {
		for _, row := range []struct {
			name  string
			mkdir func(string, fs.FileMode) error
			adopt bool
		}{{"broken", os.MkdirAll, true}, {"safe", os.Mkdir, false}} {
			t.Run(tt.name+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				r := attack.Prove(t, inOwn(row.mkdir, tt.f), attack.ReportOnly())
				if row.adopt {
					assert.Contains(t, rulesOf(r), "X06", texts(r))
				} else {
					assert.NotContains(t, rulesOf(r), "X", texts(r))
				}
				assert.True(t, r.Complete)
				show(t, r)
			})
		}
	}
}

// TestTwoNamesOnFake is the exchange on the fake disk.
func TestTwoNamesOnFake(t *testing.T) {
	for _, tt := range []struct {
		name  string
		perm  fs.FileMode
		first bool
		want  string
	}{
		{"broken, Dir's name first", 0o644, true, "X04"},
		{"broken, Dir's name last", 0o644, false, "X04"},
		{"safe, Dir's name first", 0o600, true, ""},
		{"safe, Dir's name last", 0o600, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			victim := func(s *attack.Scene) error {
				v := s.FS.(*fsfake.FS)
				from, to := s.Path("out"), filepath.Join(s.Home, "new")
				if !tt.first {
					from, to = to, from
				}
				return errors.Join(put(v, s.Path("out"), newFile, 0o600, ""), put(v, filepath.Join(s.Home, "new"), newFile, tt.perm, "secret"),
					v.Renameat2(from, to, fsfake.RenameExchange))
			}
			r := attack.Prove(t, victim, attack.Fake(), attack.Target("out"), attack.ReportOnly())
			assert.Equal(t, tt.want, rulesOf(r), texts(r))
			assert.True(t, r.Complete)
		})
	}
}
