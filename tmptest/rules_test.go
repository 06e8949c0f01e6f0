//go:build linux

package tmptest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tmpproof/tmpproof/tmptest"
)

// ruleRow is a rule with a victim that breaks it and its nearest twin that
// does not.
type ruleRow struct {
	rule   tmptest.Rule
	name   string // what is broken
	skip   func() string
	broken func(tb testing.TB)
	sound  func(tb testing.TB)
}

// coveredElsewhere says for each rule that cannot be checked by looking at
// what is there which package breaks it in its tests.
var coveredElsewhere = map[string]string{
	"E11": "attack: the victim runs under umask 0", "E13": "leakcheck", "C01": "attack: the trace", "C02": "",
	"C10": "attack: the trace", "C12": "attack", "C13": "attack", "C14": "attack: Faults", "C17": "attack: the trace",
	"U02": "attack: the trace", "U03": "attack: the trace", "U07": "attack: a planted FIFO", "U08": "leakcheck", "U09": "leakcheck",
	"R02": "leakcheck", "R04": "leakcheck", "R05": "attack: Faults", "R06": "leakcheck", "R07": "leakcheck: the sweeper",
	"R08": "leakcheck: the sweeper", "R10": "attack", "R15": "leakcheck", "R16": "leakcheck", "R17": "leakcheck",
	"X02": "attack", "X03": "attack", "X04": "attack", "X05": "attack", "X06": "attack", "X07": "attack: the deadline", "X08": "attack: Faults and Kills",
}

func needsRoot() string {
	if os.Geteuid() != 0 {
		return "only root can give a file away"
	}
	return ""
}

// inDir makes a directory of the mode and hands it to a body as temporary root.
func inDir(mode fs.FileMode, body func(tb testing.TB, dir string)) func(testing.TB) {
	return func(tb testing.TB) {
		dir := filepath.Join(tb.TempDir(), "root")
		noError(tb, os.Mkdir(dir, 0o700))
		noError(tb, os.Chmod(dir, mode))
		body(tb, dir)
	}
}

// audit reports what Audit finds as the assertions do.
func audit(tb testing.TB, path string, opts ...tmptest.Option) {
	found, err := tmptest.Audit(path, opts...)
	noError(tb, err)
	for _, v := range found {
		if v.Level() == tmptest.Fail {
			tb.Errorf("\n  %s", v)
		} else {
			tb.Logf("\n  %s", v)
		}
	}
}

// withDir is a body that gets a directory from Dir.
func withDir(body func(tb testing.TB, dir string), opts ...tmptest.Option) func(testing.TB) {
	return func(tb testing.TB) { body(tb, tmptest.Dir(tb, opts...)) }
}

func withShared(body func(tb testing.TB, dir string), opts ...tmptest.Option) func(testing.TB) {
	return func(tb testing.TB) { body(tb, tmptest.Shared(tb, opts...)) }
}

func setRoot(dir string) func(testing.TB) {
	return func(tb testing.TB) {
		tb.Setenv("GOTMPDIR", dir)
		tmptest.Dir(tb)
	}
}

func nothing(testing.TB, string) {}

// aclWith is a list (linux/posix_acl_xattr.h) that gives user 12345 these
// permissions through this mask.
func aclWith(perm, mask uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 7, ^uint32(0)}, {2, perm, 12345}, {4, 0, ^uint32(0)}, {0x10, mask, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func setACL(tb testing.TB, dir, kind string, list []byte) {
	noError(tb, unix.Setxattr(dir, "system.posix_acl_"+kind, list, 0))
}

var ruleRows = []ruleRow{
	{rule: tmptest.E01, name: "relative", broken: setRoot("relative/path"), sound: func(tb testing.TB) { setRoot(tb.TempDir())(tb) }},
	{rule: tmptest.E01, name: "missing", broken: func(tb testing.TB) { setRoot(filepath.Join(tb.TempDir(), "none"))(tb) }, sound: func(tb testing.TB) { setRoot("")(tb) }},
	{
		rule: tmptest.E01, name: "a file",
		broken: func(tb testing.TB) { f := filepath.Join(tb.TempDir(), "f"); write(tb, f, 0o600); setRoot(f)(tb) },
		sound:  func(tb testing.TB) { setRoot(tb.TempDir())(tb) },
	},
	{
		rule: tmptest.E02, name: "working directory",
		broken: func(tb testing.TB) {
			dir := tb.TempDir()
			tb.Chdir(dir)
			tb.Setenv("GOTMPDIR", dir)
			audit(tb, dir, tmptest.Process(), tmptest.Allow(tmptest.E06, "not about it"), tmptest.Allow(tmptest.E12, "not about it"))
		},
		sound: func(tb testing.TB) {
			tb.Setenv("GOTMPDIR", tb.TempDir())
			audit(tb, tmptest.Dir(tb), tmptest.Process(), tmptest.Allow(tmptest.E12, "not about it"))
		},
	},
	{
		rule: tmptest.E02, name: "inside the module",
		broken: func(tb testing.TB) {
			module := tmptest.Dir(tb)
			write(tb, filepath.Join(module, "go.mod"), 0o600)
			tmp := filepath.Join(module, "tmp")
			noError(tb, os.Mkdir(tmp, 0o700))
			tb.Chdir(module)
			tb.Setenv("GOTMPDIR", tmp)
			audit(tb, tmp, tmptest.Process(), tmptest.Allow(tmptest.E12, "not about it"))
		},
		sound: func(tb testing.TB) {
			module, tmp := tmptest.Dir(tb), tmptest.Dir(tb)
			write(tb, filepath.Join(module, "go.mod"), 0o600)
			tb.Chdir(module)
			tb.Setenv("GOTMPDIR", tmp)
			audit(tb, tmp, tmptest.Process(), tmptest.Allow(tmptest.E12, "not about it"))
		},
	},
	{
		rule: tmptest.E03, name: "an ancestor of another user", skip: needsRoot,
		broken: inDir(0o755, func(tb testing.TB, dir string) {
			noError(tb, os.Chown(dir, 12345, 12345))
			tmptest.Dir(tb, tmptest.In(dir))
		}),
		sound: inDir(0o755, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: tmptest.E03, name: "an ancestor of another user, by the seam",
		broken: func(tb testing.TB) {
			dir := tb.TempDir()
			if os.Geteuid() == 0 { // root's own is everybody's
				noError(tb, os.Chown(dir, 12345, 12345))
			}
			for _, v := range tmptest.WalkChainAs(54321, dir) {
				tb.Errorf("\n  %s", v)
			}
		},
		sound: func(tb testing.TB) {
			for _, v := range tmptest.WalkChainAs(os.Geteuid(), tb.TempDir()) {
				tb.Errorf("\n  %s", v)
			}
		},
	},
	{
		rule: tmptest.E04, name: "others may write",
		broken: inDir(0o777, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
		sound:  inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: tmptest.E04, name: "the group may write",
		broken: inDir(0o770, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
		sound:  inDir(0o755, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: tmptest.E04, name: "sticky, taken literally",
		broken: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) {
			tmptest.Dir(tb, tmptest.In(dir), tmptest.Literal())
		}),
		sound: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: tmptest.E05, name: "a link, taken literally",
		broken: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1)), tmptest.Literal()) },
		sound:  func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1))) },
	},
	{
		rule: tmptest.E05, name: "six links",
		broken: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 6))) },
		sound:  func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 5))) },
	},
	{
		rule: tmptest.E05, name: "a link of another user", skip: needsRoot,
		broken: func(tb testing.TB) {
			link := linkTo(tb, 1)
			noError(tb, os.Lchown(link, 12345, 12345))
			tmptest.Dir(tb, tmptest.In(link))
		},
		sound: func(tb testing.TB) { tmptest.Dir(tb, tmptest.In(linkTo(tb, 1))) },
	},
	{
		rule: tmptest.E06, name: "mode 0750",
		broken: inDir(0o750, func(tb testing.TB, dir string) { audit(tb, dir) }),
		sound:  inDir(0o700, func(tb testing.TB, dir string) { audit(tb, dir) }),
	},
	{
		rule: tmptest.E07, name: "access list",
		broken: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclWith(7, 7))
			audit(tb, dir)
			noError(tb, unix.Removexattr(dir, "system.posix_acl_access"))
			noError(tb, os.Chmod(dir, 0o700))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			setACL(tb, dir, "access", aclWith(7, 0))
			audit(tb, dir)
		}),
	},
	{
		rule: tmptest.E07, name: "default list of the parent",
		broken: inDir(0o700, func(tb testing.TB, dir string) {
			setACL(tb, dir, "default", aclWith(7, 7))
			tmptest.Dir(tb, tmptest.In(dir))
		}),
		sound: inDir(0o700, func(tb testing.TB, dir string) { tmptest.Dir(tb, tmptest.In(dir)) }),
	},
	{
		rule: tmptest.E08, name: "NFS, by the seam",
		broken: withDir(nothing, tmptest.FSType(0x6969, 1<<40, 1<<20)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 1<<20)),
	},
	{
		rule: tmptest.E09, name: "O_EXCL is ignored, by the seam",
		broken: withDir(func(tb testing.TB, dir string) {
			ignore := func(name string, flag int, perm fs.FileMode) (*os.File, error) {
				return os.OpenFile(name, flag&^os.O_EXCL, perm)
			}
			probe(tb, dir, ignore, nil)
		}),
		sound: withDir(func(tb testing.TB, dir string) { probe(tb, dir, nil, nil) }),
	},
	{
		rule: tmptest.E09, name: "modes are fixed, by the seam",
		broken: withDir(func(tb testing.TB, dir string) {
			probe(tb, dir, nil, func(f *os.File, _ fs.FileMode) error { return f.Chmod(0o755) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { probe(tb, dir, nil, nil) }),
	},
	{
		rule: tmptest.E10, name: "umask 0",
		broken: func(tb testing.TB) { tmptest.Umask(tb, 0); auditProcess(tb, notE12) },
		sound:  func(tb testing.TB) { tmptest.Umask(tb, 0o077); auditProcess(tb, notE12) },
	},
	{
		rule: tmptest.E10, name: "changed by the test",
		broken: func(tb testing.TB) { tmptest.Umask(tb, 0o077); syscall.Umask(0o022) },
		sound:  func(tb testing.TB) { tmptest.Umask(tb, 0o077); syscall.Umask(syscall.Umask(0o022)) },
	},
	{
		rule: tmptest.E12, name: "TMP is another",
		broken: func(tb testing.TB) { allVariables(tb); tb.Setenv("TMP", "/elsewhere"); auditProcess(tb) },
		sound:  func(tb testing.TB) { allVariables(tb); auditProcess(tb) },
	},
	{
		rule: tmptest.E14, name: "long TMPDIR",
		broken: func(tb testing.TB) {
			dir := filepath.Join(tmptest.Dir(tb), strings.Repeat("d", 60))
			noError(tb, os.Mkdir(dir, 0o700))
			tmptest.Dir(tb, tmptest.In(dir))
		},
		sound: func(tb testing.TB) {
			dir, err := os.MkdirTemp("/dev/shm", "s")
			noError(tb, err)
			tb.Cleanup(func() { noError(tb, os.Remove(dir)) })
			tmptest.Dir(tb, tmptest.In(dir))
		},
	},
	{
		rule: tmptest.E15, name: "root below a sticky directory", skip: needsRoot,
		broken: inDir(0o777|fs.ModeSticky, func(tb testing.TB, dir string) {
			tb.Setenv("GOTMPDIR", dir)
			auditProcess(tb, notE12)
		}),
		sound: func(tb testing.TB) { tb.Setenv("GOTMPDIR", "/root"); auditProcess(tb, notE12) },
	},
	{rule: tmptest.E16, name: "all off, by the seam", broken: settings("0\n"), sound: settings("1\n")},
	{
		rule: tmptest.E17, name: "no room, by the seam",
		broken: withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<20, 1<<20)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<30, 1<<20)),
	},
	{
		rule: tmptest.E17, name: "no inodes, by the seam",
		broken: withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 10)),
		sound:  withDir(nothing, tmptest.FSType(unix.EXT4_SUPER_MAGIC, 1<<40, 1<<20)),
	},
	{
		rule: tmptest.C02, name: "a link is followed",
		broken: func(tb testing.TB) { tmptest.NoFollow(tb, openFlags(os.O_RDWR)) },
		sound:  func(tb testing.TB) { tmptest.NoFollow(tb, openFlags(os.O_RDWR|syscall.O_NOFOLLOW)) },
	},
	{
		rule: tmptest.C03, name: "world-readable in a shared directory",
		broken: withShared(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o644) }, tmptest.Target("f")),
		sound:  withShared(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600) }, tmptest.Target("f")),
	},
	{
		rule: tmptest.C04, name: "set-user-id",
		broken: withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o700|fs.ModeSetuid) }),
		sound:  withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o700) }),
	},
	{
		rule: tmptest.C05, name: "file 0640, deep",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.MkdirAll(dir+"/a/b", 0o700))
			write(tb, dir+"/a/b/f", 0o640)
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.MkdirAll(dir+"/a/b", 0o700))
			write(tb, dir+"/a/b/f", 0o600)
		}),
	},
	{
		rule: tmptest.C05, name: "a socket that others can connect to",
		broken: withDir(func(tb testing.TB, dir string) { socket(tb, dir+"/s", 0o777) }),
		sound:  withDir(func(tb testing.TB, dir string) { socket(tb, dir+"/s", 0o755) }),
	},
	{
		rule: tmptest.C06, name: "process id",
		broken: withShared(func(tb testing.TB, dir string) { write(tb, fmt.Sprintf("%s/%d.tmp", dir, os.Getpid()), 0o600) }),
		sound: withShared(func(tb testing.TB, dir string) {
			f, err := os.CreateTemp("", "*.tmp")
			noError(tb, err)
			noError(tb, f.Close())
		}, tmptest.Target("*")),
	},
	{
		rule: tmptest.C07, name: "constant seed",
		broken: func(tb testing.TB) {
			r := rand.New(rand.NewPCG(1, 2))
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%016x", r.Uint64()), nil })
		},
		sound: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%016x", rand.Uint64()), nil })
		},
	},
	{
		rule: tmptest.C08, name: "six digits",
		broken: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%06d", rand.IntN(1e6)), nil })
		},
		sound: func(tb testing.TB) {
			tmptest.Unpredictable(tb, func() (string, error) { return fmt.Sprintf("%012d", rand.Int64N(1e12)), nil })
		},
	},
	{
		rule: tmptest.C09, name: "a counter after a random start",
		broken: func(tb testing.TB) {
			start, n := rand.Uint64(), 0
			tmptest.Unpredictable(tb, func() (string, error) { n++; return fmt.Sprintf("%016x-%d", start, n), nil })
		},
		sound: func(tb testing.TB) {
			n := 0
			tmptest.Unpredictable(tb, func() (string, error) { n++; return fmt.Sprintf("%016x-%d", rand.Uint64(), n), nil })
		},
	},
	{
		rule: tmptest.C11, name: "directly in a shared directory",
		broken: withShared(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			tmptest.InSecureDir(tb, dir+"/f")
			noError(tb, os.Remove(dir+"/f"))
		}),
		sound: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/d", 0o700))
			write(tb, dir+"/d/f", 0o600)
			tmptest.InSecureDir(tb, dir+"/d/f")
			noError(tb, os.RemoveAll(dir+"/d"))
		}),
	},
	{
		rule: tmptest.C15, name: "a hard link from elsewhere",
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Link(dir+"/f", tmptest.Dir(tb)+"/g"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Link(dir+"/f", dir+"/g"))
		}),
	},
	{
		rule: tmptest.C15, name: "a file of another user", skip: needsRoot,
		broken: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Chown(dir+"/f", 12345, 12345))
		}),
		sound: withDir(func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600) }),
	},
	{
		rule: tmptest.C16, name: "inherited",
		broken: withDir(func(tb testing.TB, dir string) {
			fd, err := syscall.Open(dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o600)
			noError(tb, err)
			f := os.NewFile(uintptr(fd), dir+"/f")
			tmptest.CloseOnExec(tb, f)
			noError(tb, f.Close())
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			f, err := os.Create(dir + "/f")
			noError(tb, err)
			noError(tb, f.Chmod(0o600))
			tmptest.CloseOnExec(tb, f)
			noError(tb, f.Close())
		}),
	},
	{
		rule: tmptest.C18, name: "others can make files beside it",
		broken: inDir(0o777, func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600); tmptest.InSecureDir(tb, dir+"/f") }),
		sound:  inDir(0o700, func(tb testing.TB, dir string) { write(tb, dir+"/f", 0o600); tmptest.InSecureDir(tb, dir+"/f") }),
	},
	{
		rule: tmptest.U01, name: "another file under the name",
		broken: func(tb testing.TB) {
			f := tmptest.File(tb)
			noError(tb, os.Remove(f.Name()))
			write(tb, f.Name(), 0o600)
		},
		sound: func(tb testing.TB) {
			f := tmptest.File(tb)
			_, err := f.WriteString("content")
			noError(tb, err)
		},
	},
	{
		rule: tmptest.U04, name: "the directory",
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o755)) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Chmod(dir, 0o500)) }),
	},
	{
		rule: tmptest.U04, name: "the file",
		broken: func(tb testing.TB) { noError(tb, tmptest.File(tb).Chmod(0o604)) },
		sound:  func(tb testing.TB) { noError(tb, tmptest.File(tb).Chmod(0o600)) },
	},
	{
		rule: tmptest.U05, name: "an absolute link out",
		broken: withDir(func(tb testing.TB, dir string) { noError(tb, os.Symlink("/etc/passwd", dir+"/l")) }),
		sound:  withDir(func(tb testing.TB, dir string) { noError(tb, os.Symlink(dir+"/f", dir+"/l")) }),
	},
	{
		rule: tmptest.U05, name: "a relative link out",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/a", 0o700))
			noError(tb, os.Symlink("../../x", dir+"/a/l"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Mkdir(dir+"/a", 0o700))
			noError(tb, os.Symlink("../x", dir+"/a/l"))
		}),
	},
	{
		rule: tmptest.U06, name: "replaced by a directory",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			noError(tb, os.Mkdir(dir, 0o700))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, errors.Join(os.Remove(dir+".away"), os.Remove(dir))) })
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			noError(tb, os.Rename(dir+".away", dir))
		}),
	},
	{
		rule: tmptest.U06, name: "renamed",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Rename(dir, dir+".away"))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, os.Remove(dir+".away")) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir)) }),
	},
	{
		rule: tmptest.U06, name: "replaced by a link",
		broken: withDir(func(tb testing.TB, dir string) {
			noError(tb, os.Remove(dir))
			noError(tb, os.Symlink("/etc", dir))
			tb.(*recorder).TB.Cleanup(func() { noError(tb, os.Remove(dir)) })
		}),
		sound: withDir(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir)) }),
	},
	{
		rule: tmptest.R01, name: "left in the shared directory",
		broken: withShared(func(tb testing.TB, _ string) {
			f, err := os.CreateTemp("", "upload-*")
			noError(tb, err)
			noError(tb, f.Close())
		}),
		sound: withShared(func(tb testing.TB, _ string) {
			f, err := os.CreateTemp("", "upload-*")
			noError(tb, err)
			noError(tb, errors.Join(f.Close(), os.Remove(f.Name())))
		}),
	},
	{
		rule: tmptest.R01, name: "left in any directory",
		broken: func(tb testing.TB) { dir := tb.TempDir(); write(tb, dir+"/f", 0o600); tmptest.Empty(tb, dir) },
		sound:  func(tb testing.TB) { tmptest.Empty(tb, tb.TempDir()) },
	},
	{
		rule: tmptest.R03, name: "open file",
		broken: withDir(func(tb testing.TB, dir string) { leaveOpen(tb, dir+"/f", os.O_CREATE|os.O_RDWR) }),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			leaveOpen(tb, os.DevNull, os.O_RDONLY)
		}),
	},
	{
		rule: tmptest.R03, name: "open removed file",
		broken: withDir(func(tb testing.TB, dir string) {
			leaveOpen(tb, dir+"/f", os.O_CREATE|os.O_RDWR)
			noError(tb, os.Remove(dir+"/f"))
		}),
		sound: withDir(func(tb testing.TB, dir string) {
			write(tb, dir+"/f", 0o600)
			noError(tb, os.Remove(dir+"/f"))
		}),
	},
	{
		rule: tmptest.R03, name: "file without a name",
		broken: withDir(func(tb testing.TB, dir string) { leaveOpen(tb, dir, os.O_RDWR|unix.O_TMPFILE) }),
		sound: withDir(func(tb testing.TB, dir string) {
			f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
			noError(tb, err)
			noError(tb, f.Close())
		}),
	},
	{
		rule: tmptest.R09, name: "links are followed",
		broken: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error {
				return errors.Join(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
					return errors.Join(err, ignoreMissing(os.Chmod(p, 0o700))) // chmod follows
				}), os.RemoveAll(dir))
			})
		},
		sound: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
	},
	{
		rule: tmptest.R11, name: "the error is swallowed",
		broken: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error { _ = os.RemoveAll(dir); return nil })
		},
		sound: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
	},
	{
		rule: tmptest.R12, name: "read-only directories stay",
		skip: func() string {
			if os.Geteuid() == 0 {
				return "root needs no write permission"
			}
			return ""
		},
		broken: func(tb testing.TB) { tmptest.RemovesAll(tb, os.RemoveAll) },
		sound: func(tb testing.TB) {
			tmptest.RemovesAll(tb, func(dir string) error {
				return errors.Join(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
					if err == nil && d.IsDir() {
						return os.Chmod(p, 0o700)
					}
					return nil
				}), os.RemoveAll(dir))
			})
		},
	},
	{
		rule: tmptest.R13, name: "a child in the directory",
		broken: withDir(func(tb testing.TB, dir string) { sleeper(tb, dir) }),
		sound:  withDir(func(tb testing.TB, _ string) { sleeper(tb, "/") }),
	},
	{
		rule: tmptest.R13, name: "an orphan in the directory",
		broken: withDir(func(tb testing.TB, dir string) { orphan(tb, dir) }),
		sound:  withDir(func(tb testing.TB, _ string) { orphan(tb, "/") }),
	},
	{
		rule: tmptest.R14, name: "written between two listings",
		broken: func(tb testing.TB) {
			var dir string
			dir = tmptest.Dir(tb, tmptest.BetweenListings(func() { write(tb, dir+"/late", 0o600) }))
		},
		sound: func(tb testing.TB) {
			var dir string
			dir = tmptest.Dir(tb, tmptest.BetweenListings(func() { noError(tb, os.Remove(dir+"/f")) }))
			write(tb, dir+"/f", 0o600)
		},
	},
	{
		rule: tmptest.R14, name: "written between listing and removal",
		broken: removal(func(tb testing.TB, dir string) { write(tb, dir+"/late", 0o600) }),
		sound:  removal(func(tb testing.TB, dir string) { noError(tb, os.Remove(dir+"/f")) }),
	},
	{
		rule: tmptest.X01, name: "the file beside",
		broken: withShared(func(tb testing.TB, dir string) {
			noError(tb, os.WriteFile(dir+"/../canary.txt", []byte("x"), 0o600))
		}),
		sound: withShared(func(tb testing.TB, dir string) {
			_, err := os.ReadFile(dir + "/../canary.txt")
			noError(tb, err)
		}),
	},
}

func probe(tb testing.TB, dir string, open func(string, int, fs.FileMode) (*os.File, error), chmod func(*os.File, fs.FileMode) error) {
	detail, err := tmptest.ProbeWith(dir, open, chmod)
	noError(tb, err)
	if detail != "" {
		tb.Errorf("\n  %s", tmptest.Violation{Rule: tmptest.E09, Detail: detail})
	}
	tmptest.Empty(tb, dir, "the probe is removed")
}

func auditProcess(tb testing.TB, opts ...tmptest.Option) {
	audit(tb, tmptest.Dir(tb), append(opts, tmptest.Process())...)
}

// notE12 leaves the four variables aside.
var notE12 = tmptest.Allow(tmptest.E12, "another rule is tried")

// settings makes a directory as /proc/sys/fs is, and says what E16 finds.
func settings(value string) func(tb testing.TB) {
	return withDir(func(tb testing.TB, dir string) {
		for _, name := range []string{"symlinks", "hardlinks", "regular", "fifos"} {
			noError(tb, os.WriteFile(filepath.Join(dir, "protected_"+name), []byte(value), 0o600))
		}
		for _, v := range tmptest.ProtectionIn(dir) {
			tb.Logf("\n  %s", v)
		}
	})
}

// removal removes a directory that was listed, and in which f runs then.
func removal(f func(tb testing.TB, dir string)) func(testing.TB) {
	return func(tb testing.TB) {
		dir := filepath.Join(tb.TempDir(), "d")
		noError(tb, os.Mkdir(dir, 0o700))
		write(tb, dir+"/f", 0o600)
		found, err := tmptest.RemoveAfterListing(dir, func() { f(tb, dir) })
		noError(tb, err)
		for _, v := range found {
			tb.Logf("\n  %s", v)
		}
		_, err = os.Lstat(dir)
		require.ErrorIs(tb, err, fs.ErrNotExist)
	}
}

func allVariables(tb testing.TB) {
	dir := tb.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", "GOTMPDIR"} {
		tb.Setenv(name, dir)
	}
}

// linkTo is the last of a chain of n links to a private directory.
func linkTo(tb testing.TB, n int) string {
	dir := tb.TempDir()
	target := filepath.Join(dir, "target")
	noError(tb, os.Mkdir(target, 0o700))
	for i := range n {
		link := filepath.Join(dir, fmt.Sprint("link", i))
		noError(tb, os.Symlink(target, link))
		target = link
	}
	return target
}

func openFlags(flag int) func(string) error {
	return func(path string) error {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// leaveOpen closes the file when the observed test is over.
func leaveOpen(tb testing.TB, path string, flag int) {
	f, err := os.OpenFile(path, flag, 0o600)
	noError(tb, err)
	tb.(*recorder).TB.Cleanup(func() { noError(tb, f.Close()) })
}

func socket(tb testing.TB, path string, mode fs.FileMode) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	noError(tb, err)
	defer unix.Close(fd)
	noError(tb, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	noError(tb, os.Chmod(path, mode))
}

// sleeper starts a program in dir that ends when the observed test is over.
func sleeper(tb testing.TB, dir string) {
	cmd := exec.Command("/bin/cat")
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	noError(tb, err)
	noError(tb, cmd.Start())
	tb.(*recorder).TB.Cleanup(func() {
		noError(tb, errors.Join(stdin.Close(), cmd.Wait()))
	})
}

// orphan starts a program in dir whose parent has ended, and which ends when
// the observed test is over.
func orphan(tb testing.TB, dir string) {
	r, w, err := os.Pipe()
	noError(tb, err)
	cmd := exec.Command("/bin/sh", "-c", "cat <&3 >/dev/null 2>&1 &")
	cmd.Dir, cmd.ExtraFiles = dir, []*os.File{r}
	noError(tb, cmd.Run())
	noError(tb, r.Close())
	tb.(*recorder).TB.Cleanup(func() { noError(tb, w.Close()) })
}

// TestRules runs each victim and its twin.
func TestRules(t *testing.T) {
	for _, row := range ruleRows {
		t.Run(row.rule.ID+" "+row.name, func(t *testing.T) {
			if row.skip != nil {
				if why := row.skip(); why != "" {
					t.Skip(why)
				}
			}
			named := (*recorder).broken
			if row.rule.Level() != tmptest.Fail {
				named = func(r *recorder) []string { return append(r.broken(), r.advised()...) }
			}
			t.Run("broken", func(t *testing.T) {
				r := observe(t, row.broken)
				assert.Contains(t, named(r), row.rule.ID, r.text())
			})
			t.Run("sound", func(t *testing.T) {
				r := observe(t, row.sound)
				assert.NotContains(t, named(r), row.rule.ID, r.text())
				assert.Empty(t, r.broken(), r.text())
			})
		})
	}
}

// TestEveryRuleIsCovered: each rule of level ! has a row here, or the package
// that has one is named; the attacks are moves of package attack.
func TestEveryRuleIsCovered(t *testing.T) {
	for _, r := range tmptest.Rules() {
		here := slices.ContainsFunc(ruleRows, func(row ruleRow) bool { return row.rule.ID == r.ID })
		elsewhere := coveredElsewhere[r.ID]
		if r.ID[0] == 'A' {
			elsewhere = "attack: its moves"
		}
		assert.True(t, here || elsewhere != "", "%s has no row and no package", r.ID)
		assert.False(t, here && elsewhere != "", "%s has a row and a package", r.ID)
	}
	for id := range coveredElsewhere {
		assert.True(t, slices.ContainsFunc(tmptest.Rules(), func(r tmptest.Rule) bool { return r.ID == id }), "%s is no rule", id)
	}
}

// TestGuidelineIDs: what the guideline refers to has a rule here that a victim
// breaks and its twin does not.
func TestGuidelineIDs(t *testing.T) {
	has := func(match func(r tmptest.Rule) bool) bool {
		return slices.ContainsFunc(ruleRows, func(row ruleRow) bool { return match(row.rule) })
	}
	for _, cwe := range []int{377, 379, 459} {
		assert.True(t, has(func(r tmptest.Rule) bool { return slices.Contains(r.CWE, cwe) }), "CWE-%d", cwe)
	}
	for _, cert := range []string{"FIO21-C", "FIO03-J", "FIO15-C"} {
		assert.True(t, has(func(r tmptest.Rule) bool { return slices.Contains(r.CERT, cert) }), cert)
	}
}

func TestRemoteTypes(t *testing.T) {
	tests := map[string]struct {
		kind           uint32
		remote, unsure bool
	}{
		"NFS": {0x6969, true, false}, "SMB": {0x517b, true, false}, "CIFS": {0xff534d42, true, false}, "SMB2": {0xfe534d42, true, false},
		"9p": {0x1021997, true, false}, "AFS": {0x5346414f, true, false}, "Ceph": {0xc36400, true, false},
		"Lustre": {0x0bd00bd0, true, false}, "GPFS": {0x47504653, true, false}, "FUSE": {0x65735546, false, true},
		"": {unix.OVERLAYFS_SUPER_MAGIC, false, false},
	}
	for want, tt := range tests {
		t.Run(want, func(t *testing.T) {
			name, remote, unsure := tmptest.RemoteType(tt.kind)
			assert.Equal(t, want, name)
			assert.Equal(t, tt.remote, remote)
			assert.Equal(t, tt.unsure, unsure)
		})
	}
	require.NotEmpty(t, tests)
}
