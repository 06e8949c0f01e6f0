package attack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/rerun"
	"golang.org/x/sys/unix"
)

// anewTests are what a victim does to its surroundings in the end. The next
// run finds them as the first did.
var anewTests = []struct {
	name string
	do   func(s *attack.Scene) error
	root bool // the kernel lets nobody else
}{
	{name: "nothing", do: func(*attack.Scene) error { return nil }},
	{name: "closes Dir", do: func(s *attack.Scene) error { return os.Chmod(s.Dir, 0o700) }},
	{name: "closes Dir to itself", do: func(s *attack.Scene) error { return os.Chmod(s.Dir, 0) }},
	{name: "opens Home", do: func(s *attack.Scene) error { return os.Chmod(s.Home, 0o777) }},
	{name: "sets Dir's times", do: func(s *attack.Scene) error { return os.Chtimes(s.Dir, canaryTime, canaryTime.AddDate(99, 0, 0)) }},
	{name: "a default access control list of Dir", do: func(s *attack.Scene) error {
		return unix.Setxattr(s.Dir, "system.posix_acl_default", acl, 0)
	}},
	{name: "an access control list of Dir", do: func(s *attack.Scene) error {
		return unix.Setxattr(s.Dir, "system.posix_acl_access", acl, 0)
	}},
	{name: "an extended attribute of Dir and Home", do: func(s *attack.Scene) error {
		return errors.Join(unix.Setxattr(s.Dir, "user.x", []byte("y"), 0), unix.Setxattr(s.Home, "user.x", []byte("y"), 0))
	}},
	{name: "an inode flag of Dir and Home", do: func(s *attack.Scene) error {
		return errors.Join(flagged(s.Dir, nodumpFlag), flagged(s.Home, nodumpFlag))
	}},
	{name: "Dir only grows", root: true, do: func(s *attack.Scene) error {
		return errors.Join(leaves(s, 0), flagged(s.Dir, appendFlag))
	}},
	{name: "Dir stays as it is", root: true, do: func(s *attack.Scene) error {
		return errors.Join(leaves(s, 0), flagged(s.Dir, immutableFlag))
	}},
	{name: "Home stays as it is", root: true, do: func(s *attack.Scene) error { return flagged(s.Home, immutableFlag) }},
	{name: "a file stays as it is", root: true, do: func(s *attack.Scene) error {
		return leaves(s, immutableFlag)
	}},
	{name: "a directory only grows", root: true, do: func(s *attack.Scene) error {
		dir, err := os.MkdirTemp(s.Dir, "out-*")
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(filepath.Join(dir, "f"), nil, 0o600), flagged(filepath.Join(dir, "f"), appendFlag), flagged(dir, appendFlag))
	}},
	{name: "gives Dir away", root: true, do: func(s *attack.Scene) error { return os.Chown(s.Dir, 4242, 4242) }},
}

// leaves leaves a file with inode flags behind.
func leaves(s *attack.Scene, flags int) error {
	f, err := os.CreateTemp(s.Dir, "out-*")
	if err != nil {
		return err
	}
	if flags != 0 {
		err = setFlags(int(f.Fd()), flags)
	}
	return errors.Join(err, f.Close())
}

// flagged sets inode flags.
func flagged(p string, flags int) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	return errors.Join(setFlags(int(f.Fd()), flags), f.Close())
}

// TestAnew: what a victim does to its surroundings is not there in the next
// schedule. Each finds whether Dir has what the last run gave it.
func TestAnew(t *testing.T) {
	for _, tt := range anewTests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			skipUnsupported(t, tt.name)
			if !rerun.IsChild() {
				t.Setenv("TMPDIR", t.TempDir()) // which is empty in the end
			}
			r := attack.Prove(t, func(s *attack.Scene) error {
				if err := asBuilt(s); err != nil {
					panic(err)
				}
				_, err := os.ReadFile(s.Path("x"))
				if err := tt.do(s); err != nil {
					panic(err)
				}
				return orMissing(err)
			}, attack.Moves(attack.Symlink, attack.File), attack.ReportOnly())
			assert.True(t, r.Complete, "%v", r.Problems)
			var got []string
			for _, f := range r.Findings {
				if f.Exploit {
					got = append(got, f.Rule.ID()+" "+f.Detail)
				}
			}
			require.Len(t, got, 2, "%q", got)
			assert.Contains(t, got[0], "X02 vault/file was read")
			assert.Contains(t, got[1], "X03 the attacker's content was read")
		})
	}
}

// asBuilt says what of the scene is not as it was built.
func asBuilt(s *attack.Scene) error {
	var err error
	for dir, mode := range map[string]uint32{s.Dir: 0o1777, s.Home: 0o700} {
		var st unix.Stat_t
		if e := unix.Lstat(dir, &st); e != nil {
			return e
		}
		buf := make([]byte, 1000)
		n, e := unix.Llistxattr(dir, buf)
		err = errors.Join(err, e)
		for _, key := range []string{"user.x", "system.posix_acl_access", "system.posix_acl_default"} {
			if _, e := unix.Lgetxattr(dir, key, buf); e == nil && n > 0 {
				err = errors.Join(err, errors.New(dir+" has the attribute "+key))
			}
		}
		if st.Mode&0o7777 != mode || int(st.Uid) != os.Getuid() {
			err = errors.Join(err, errors.New(dir+" has another mode or owner"))
		}
		if st.Mtim.Sec != canaryTime.Unix() {
			err = errors.Join(err, errors.New(dir+" has another time"))
		}
		f, e := os.Open(dir)
		if e != nil {
			return e
		}
		flags, e := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		if e == nil && flags&(nodumpFlag|appendFlag|immutableFlag) != 0 {
			e = errors.New(dir + " has inode flags")
		}
		err = errors.Join(err, e, f.Close())
	}
	return err
}

// skipUnsupported skips a row about what the file system at hand does not have.
func skipUnsupported(t *testing.T, name string) {
	if rerun.IsChild() { // where the parent runs it, and which may be killed
		return
	}
	dir := t.TempDir()
	for what, err := range map[string]error{
		"attribute":           unix.Setxattr(dir, "user.x", []byte("y"), 0),
		"access control list": unix.Setxattr(dir, "system.posix_acl_default", acl, 0),
		"inode flag":          flagged(dir, nodumpFlag),
	} {
		if strings.Contains(name, what) && err != nil {
			t.Skipf("%s: %v", what, err)
		}
	}
}
