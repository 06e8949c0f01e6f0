package fsfake_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tmpproof/tmpproof/fsfake"
)

// people are root, an owner, a member of the owner's group, and anybody else.
var people = []account{
	{0, 0, nil, 0},
	{1001, 1001, []int{2000}, 0},
	{1002, 1002, []int{1001}, 0},
	{1003, 1003, nil, 0},
}

// manPages has the errors of the manual pages of chmod, chown, ftruncate, link,
// mkdir, mkfifo, mknod, open, rename, rmdir, symlink, truncate, unlink and
// utimensat that a local file system can give, for the four people. A row is
//
//	setup; setup; ... | call | result
//
// with the person's letter (r, o, g, a) before each call. On Linux, as root, the
// kernel runs the same rows. What needs a mount of its own is in TestMountErrors.
const manPages = `
# chmod
o mkfile f 0644 | o chmod f 0600 | ok
o mkfile f 0644 | g chmod f 0600 | EPERM
o mkfile f 0666 | a chmod f 0600 | EPERM
o mkfile f 0644 | r chmod f 0600 | ok
o mkdir d 0700; o mkfile d/f 0666 | a chmod d/f 0600 | EACCES
o mkdir d 0710; o mkfile d/f 0666 | g chmod d/f 0600 | EPERM
| o chmod no 0600 | ENOENT
o mkfile f 0644 | o chmod f/x 0600 | ENOTDIR
o symlink l l | o chmod l 0600 | ELOOP
| o chmod N256 0600 | ENAMETOOLONG
| o chmod P4096 0600 | ENAMETOOLONG
# chown
o mkfile f 0644 | o chown f 1003 -1 | EPERM
o mkfile f 0644 | o chown f 1001 -1 | ok
o mkfile f 0644 | o chown f -1 2000 | ok
o mkfile f 0644 | o chown f -1 1003 | EPERM
o mkfile f 0666 | g chown f -1 1001 | EPERM
o mkfile f 0666 | a chown f 1003 1003 | EPERM
o mkfile f 0666 | a chown f -1 -1 | ok
o mkfile f 04755 | a chown f -1 -1 | EPERM
o mkfile f 0644 | r chown f 1003 1003 | ok
o mkdir d 0700; o mkfile d/f 0666 | g chown d/f -1 -1 | EACCES
| r chown no 1 1 | ENOENT
o symlink no l | r chown l 1 1 | ENOENT
o symlink no l | r lchown l 1 1 | ok
o symlink no l | a lchown l 1003 1003 | EPERM
o mkfile f 0644 | r chown f/ 1 1 | ENOTDIR
o symlink l l | r chown l 1 1 | ELOOP
| r chown N256 1 1 | ENAMETOOLONG
# link
o mkfile f 0644 | o link f g | ok
o mkfile f 0644; o mkdir d 0755 | a link f d/g | EPERM
r chmod . 01777; o mkfile f 0666; o mkdir d 0755 | a link f d/g | EACCES
o mkfile f 0666; o mkdir d 0775 | g link f d/g | ok
o mkdir d 0700; o mkfile d/f 0666 | a link d/f g | EACCES
o mkfile f 0644; o mkfile g 0644 | o link f g | EEXIST
o mkfile f 0644; o symlink no g | o link f g | EEXIST
| o link no g | ENOENT
o mkfile f 0644 | o link f no/g | ENOENT
o mkfile f 0644 | o link f g/ | ENOENT
o mkfile f 0644 | o link f f/g | ENOTDIR
o mkfile f 0644 | o link f/ g | ENOTDIR
o mkdir d 0755 | o link d e | EPERM
r mkdir d 0755 | r link d e | EPERM
o symlink m l; o symlink l m; o mkfile f 0644 | o link l/x g | ELOOP
o mkfile f 0644 | o link f N256 | ENAMETOOLONG
| o link N256 g | ENAMETOOLONG
o symlink no l | o link l g | ok
# mkdir
| o mkdir d 0755 | ok
o mkdir d 0755 | o mkdir d 0755 | EEXIST
o symlink no l | o mkdir l 0755 | EEXIST
o mkdir d 0755 | g mkdir d/e 0755 | EACCES
o mkdir d 0775 | g mkdir d/e 0755 | ok
o mkdir d 0775 | a mkdir d/e 0755 | EACCES
o mkdir d 0555 | o mkdir d/e 0755 | EACCES
o mkdir d 0555 | r mkdir d/e 0755 | ok
o mkdir d 0766; | a mkdir d/e 0755 | EACCES
| o mkdir no/d 0755 | ENOENT
o symlink no l | o mkdir l/d 0755 | ENOENT
o mkfile f 0644 | o mkdir f/d 0755 | ENOTDIR
o symlink l l | o mkdir l/d 0755 | ELOOP
| o mkdir N256 0755 | ENAMETOOLONG
| o mkdir P4096 0755 | ENAMETOOLONG
| o mkdir . 0755 | EEXIST
| o mkdir / 0755 | EEXIST
# mkfifo and mknod
| o mknod p 010644 | ok
o mkfile f 0644 | o mknod f 010644 | EEXIST
o mkdir d 0755 | g mknod d/p 010644 | EACCES
| o mknod no/p 010644 | ENOENT
| o mknod p/ 010644 | ENOENT
o mkfile f 0644 | o mknod f/p 010644 | ENOTDIR
| o mknod N256 010644 | ENAMETOOLONG
o symlink l l | o mknod l/p 010644 | ELOOP
| o mknod s 0140644 | ok
| o mknod d 040755 | EPERM
| o mknod l 0120755 | EINVAL
| o mknod b 060644 | EPERM
| o mknod c 020644 | ok
# open
o mkfile f 0400 | o open f r | ok
o mkfile f 0400 | o open f w | EACCES
o mkfile f 0040 | o open f r | EACCES
o mkfile f 0040 | g open f r | ok
o mkfile f 0004 | g open f r | EACCES
o mkfile f 0004 | a open f r | ok
o mkfile f 0000 | r open f rw | ok
o mkfile f 0444 | a open f rt | EACCES
o mkfile f 0600 | a open f p | ok
o mkdir d 0600; | o open d/f r | EACCES
o mkdir d 0755 | g open d/f wc | EACCES
o mkdir d 0755; r mkfile d/f 0666 | g open d/f wc | ok
o mkfile f 0644 | o open f wcx | EEXIST
o symlink no f | o open f wcx | EEXIST
o mkdir d 0755 | o open d wcx | EEXIST
o mkdir d 0755 | o open d w | EISDIR
o mkdir d 0755 | o open d rc | EISDIR
o mkdir d 0755 | o open d rt | EISDIR
| o open new/ wc | EISDIR
| o open . rcd | EINVAL
| o open no r | ENOENT
| o open no/f wc | ENOENT
o symlink no/f l | o open l wc | ENOENT
o symlink no l | o open l wc | ok
o mkfile f 0644 | o open f/x r | ENOTDIR
o mkfile f 0644 | o open f rd | ENOTDIR
o mkfile f 0644; o symlink f l | o open l rn | ELOOP
o mkfile f 0644; o symlink f l | o open l rnd | ENOTDIR
o mkdir d 0755; o symlink d l | o open l/ rn | ok
o mkfile f 0644; o symlink f l | o open l pn | ok
o symlink l l | o open l r | ELOOP
| o open N256 r | ENAMETOOLONG
| o open N256 wc | ENAMETOOLONG
o mkfile f 0666 | a open f rN | EPERM
o mkfile f 0666 | o open f rN | ok
o mknod p 010666 | o open p wb | ENXIO
o mknod p 010666 | a open p rb | ok
o mknod s 0140666 | o open s r | ENXIO
o mknod s 0140600 | a open s r | EACCES
o mkdir d 0755 | o open d wT | ok
o mkdir d 0755 | o open d rT | EINVAL
o mkdir d 0755 | g open d wT | EACCES
o mkfile f 0644 | o open f wT | ENOTDIR
| o open no wT | ENOENT
# rename
o mkfile f 0644 | o rename f g | ok
o mkdir d 0755; o mkfile d/f 0644 | g rename d/f g | EACCES
o mkfile f 0644; o mkdir d 0755 | g rename f d/g | EPERM
r chmod . 0777; o mkfile f 0644; o mkdir d 0755 | g rename f d/g | EACCES
r chmod . 0777; o mkfile f 0644 | a rename f g | ok
r chmod . 01777; o mkfile f 0644 | a rename f g | EPERM
r chmod . 01777; o mkfile f 0644; a mkfile g 0644 | a rename g f | EPERM
r chmod . 01777; o mkfile f 0644 | r rename f g | ok
o mkdir d 0755; o mkdir d/e 0555; o mkdir x 0755 | o rename d/e x/e | EACCES
o mkdir d 0755; o mkdir d/e 0555 | o rename d/e d/f | ok
o mkdir d 0755 | o rename d d/e | EINVAL
o mkdir d 0755; o mkdir d/e 0755 | o rename d/e d | ENOTEMPTY
o mkdir d 0755; o mkdir e 0755; o mkfile e/f 0644 | o rename d e | ENOTEMPTY
o mkdir d 0755; o mkdir e 0755 | o rename d e | ok
o mkfile f 0644; o mkdir d 0755 | o rename f d | EISDIR
o mkfile f 0644; o mkdir d 0755 | o rename d f | ENOTDIR
o mkfile f 0644 | o rename f g/ | ENOTDIR
o mkfile f 0644 | o rename f/ g | ENOTDIR
o mkfile f 0644 | o rename f/x g | ENOTDIR
| o rename no g | ENOENT
o mkfile f 0644 | o rename f no/g | ENOENT
| o rename . g | EBUSY
o mkfile f 0644 | o rename f .. | EBUSY
o mkfile f 0644; o mkfile g 0644 | o rename f g 1 | EEXIST
o mkfile f 0644 | o rename f g 2 | ENOENT
o mkfile f 0644; o mkdir d 0755 | o rename f d 2 | ok
o mkdir d 0755; o mkfile d/f 0644 | o rename d/f d 2 | EINVAL
| o rename f g 3 | EINVAL
o mkfile f 0644 | o rename f N256 | ENAMETOOLONG
o symlink l l | o rename l/x g | ELOOP
# rmdir
o mkdir d 0755 | o rmdir d | ok
o mkdir d 0755; o mkfile d/f 0644 | o rmdir d | ENOTEMPTY
o mkdir d 0755; o mkdir d/e 0755 | o rmdir d/e/.. | ENOTEMPTY
o mkdir d 0755 | o rmdir d/. | EINVAL
| o rmdir / | EBUSY
o mkfile f 0644 | o rmdir f | ENOTDIR
o mkdir d 0755; o symlink d l | o rmdir l | ENOTDIR
o mkdir d 0755; o symlink d l | o rmdir l/ | ENOTDIR
| o rmdir no | ENOENT
o mkdir d 0755; o mkdir d/e 0777 | a rmdir d/e | EACCES
r chmod . 01777; o mkdir d 0777 | a rmdir d | EPERM
r chmod . 01777; o mkdir d 0777 | r rmdir d | ok
r chmod . 0777; o mkdir d 0700 | a rmdir d | ok
o symlink l l | o rmdir l/d | ELOOP
| o rmdir N256 | ENAMETOOLONG
# symlink
| o symlink x l | ok
| o symlink "" l | ENOENT
| o symlink P4096 l | ENAMETOOLONG
| o symlink x N256 | ENAMETOOLONG
o mkfile f 0644 | o symlink x f | EEXIST
o mkdir d 0755 | g symlink x d/l | EACCES
| o symlink x no/l | ENOENT
| o symlink x l/ | ENOENT
o mkfile f 0644 | o symlink x f/l | ENOTDIR
o symlink l l | o symlink x l/y | ELOOP
# truncate and ftruncate
o mkfile f 0644 | o truncate f 5 | ok
o mkfile f 0644 | g truncate f 5 | EACCES
o mkfile f 0664 | g truncate f 5 | ok
o mkfile f 0000 | r truncate f 5 | ok
o mkfile f 0644 | o truncate f -1 | EINVAL
| o truncate no -1 | EINVAL
| o truncate no 1 | ENOENT
o mkdir d 0755 | o truncate d 1 | EISDIR
o mknod p 010666 | o truncate p 1 | EINVAL
o mkfile f 0644 | o truncate f/ 1 | ENOTDIR
o symlink l l | o truncate l 1 | ELOOP
| o truncate N256 1 | ENAMETOOLONG
o mkfile f 0644; o open f r | o ftruncate f 1 | EINVAL
o mkfile f 0644; o open f w | o ftruncate f -1 | EINVAL
o mkfile f 0644; o open f w | o ftruncate f 1 | ok
o mkdir d 0755; o open d r | o ftruncate d 1 | EINVAL
o mkfile f 0644; o open f p | o ftruncate f 1 | EBADF
# unlink
o mkfile f 0644 | o unlink f | ok
o mkdir d 0755; o mkfile d/f 0666 | g unlink d/f | EACCES
o mkdir d 0775; o mkfile d/f 0600 | g unlink d/f | ok
r chmod . 01777; o mkfile f 0666 | a unlink f | EPERM
r chmod . 01777; o mkfile f 0666 | r unlink f | ok
o mkdir d 01777; a mkfile d/f 0666 | o unlink d/f | ok
o mkdir d 0755 | o unlink d | EISDIR
o mkdir d 0755 | o unlink d/ | EISDIR
| o unlink . | EISDIR
| o unlink / | EISDIR
| o unlink no | ENOENT
o mkfile f 0644 | o unlink f/ | ENOTDIR
o mkfile f 0644 | o unlink f/x | ENOTDIR
o symlink l l | o unlink l/x | ELOOP
o symlink l l | o unlink l | ok
| o unlink N256 | ENAMETOOLONG
# utimensat
o mkfile f 0644 | o utimens f 1 1 | ok
o mkfile f 0666 | a utimens f 1 1 | EPERM
o mkfile f 0666 | a utimens f -1 -1 | ok
o mkfile f 0644 | a utimens f -1 -1 | EACCES
o mkfile f 0666 | a utimens f -1 -2 | EPERM
o mkfile f 0600 | a utimens f -2 -2 | ok
| a utimens no -2 -2 | ok
o mkfile f 0600 | r utimens f 1 1 | ok
| o utimens no 1 1 | ENOENT
o mkfile f 0644 | o utimens f/x 1 1 | ENOTDIR
o symlink no l | o lutimens l 1 1 | ok
o symlink no l | o utimens l 1 1 | ENOENT
o symlink no l | a lutimens l 1 1 | EPERM
o symlink l l | o utimens l 1 1 | ELOOP
o mkdir d 0700; o mkfile d/f 0666 | a utimens d/f -1 -1 | EACCES
| o utimens N256 1 1 | ENAMETOOLONG
# access
o mkfile f 0640 | g access f 4 | ok
o mkfile f 0640 | g access f 2 | EACCES
o mkfile f 0640 | a access f 4 | EACCES
o mkfile f 0640 | r access f 1 | EACCES
o mkfile f 0641 | r access f 1 | ok
| o access . 8 | EINVAL
| o access no 0 | ENOENT
`

// parseRow turns a call of the table into a call of the differential test.
func parseRow(t *testing.T, text string) (c call) {
	words := strings.Fields(text)
	for i, w := range words {
		switch w {
		case "N256":
			words[i] = strings.Repeat("n", 256)
		case "P4096":
			words[i] = strings.Repeat("./", 2048)
		case `""`:
			words[i] = ""
		}
	}
	num := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 0, 64)
		require.NoError(t, err, text)
		return n
	}
	c = call{user: strings.Index("roga", words[0]), name: words[1], a: words[2]}
	switch c.name {
	case "mkfile":
		c.name, c.mode, c.flag = "open", uint32(num(3)), os.O_CREATE|os.O_EXCL|os.O_WRONLY
		c.handle = 1
	case "mkdir", "chmod", "mknod", "access":
		c.mode = uint32(num(3))
	case "chown", "lchown", "utimens", "lutimens":
		c.n, c.m = num(3), num(4)
	case "truncate", "ftruncate":
		c.n = num(3)
	case "symlink":
		c.a, c.b = words[3], words[2]
	case "link", "rename":
		c.b = words[3]
		if len(words) > 4 {
			c.flag = int(num(4))
		}
	case "open":
		c.mode = 0o644
		for _, f := range words[3] {
			c.flag |= map[rune]int{'r': os.O_RDONLY, 'w': os.O_WRONLY, 'c': os.O_CREATE, 'x': os.O_EXCL,
				't': os.O_TRUNC, 'n': fsfake.O_NOFOLLOW, 'd': fsfake.O_DIRECTORY, 'T': fsfake.O_TMPFILE,
				'N': fsfake.O_NOATIME, 'p': fsfake.O_PATH, 'b': fsfake.O_NONBLOCK}[f]
		}
		if words[3] == "rw" {
			c.flag = os.O_RDWR
		}
	}
	return c
}

var errnoNames = map[string]syscall.Errno{"ok": 0, "ENOENT": syscall.ENOENT, "ENOTDIR": syscall.ENOTDIR,
	"EISDIR": syscall.EISDIR, "EINVAL": syscall.EINVAL, "ELOOP": syscall.ELOOP, "ENAMETOOLONG": syscall.ENAMETOOLONG,
	"EBUSY": syscall.EBUSY, "ENXIO": syscall.ENXIO, "EBADF": syscall.EBADF,
	"EACCES": fsfake.ErrAccess, "EPERM": fsfake.ErrPerm, "EEXIST": fsfake.ErrExist, "ENOTEMPTY": fsfake.ErrNotEmpty}

// manPageRows runs the table on a world that reset empties.
func manPageRows(t *testing.T, reset func() world) {
	for n, line := range strings.Split(manPages, "\n") {
		part := strings.Split(line, "|")
		if len(part) != 3 {
			continue
		}
		w := reset()
		for _, s := range strings.Split(part[0], ";") {
			if strings.TrimSpace(s) != "" {
				c := parseRow(t, s)
				require.Zero(t, w.do(c).err, "line %d: setup %q", n, s)
				if strings.Contains(s, "mkfile") {
					w.do(call{user: c.user, name: "close", handle: 1})
				}
			}
		}
		want, ok := errnoNames[strings.TrimSpace(part[2])]
		require.True(t, ok, line)
		got := w.do(parseRow(t, part[1]))
		if got.err != want || strings.HasPrefix(got.s, "no ") {
			t.Errorf("line %d: %s: got %v", n, line, got)
		}
	}
}

func TestManualPages(t *testing.T) {
	manPageRows(t, func() world {
		return newFakeWorld(t, people, "", 0o1777, 0, 0, fsfake.ProtectedHardlinks())
	})
}

// TestMountErrors has the errors that need a mount of its own: EROFS, ENOSPC,
// EMLINK, EXDEV, EBUSY.
func TestMountErrors(t *testing.T) {
	d := fsfake.New(fsfake.Bare(), fsfake.MaxLinks(3), fsfake.Inodes(8))
	v := d.As(fsfake.User{})
	f, err := v.Create("/f")
	require.NoError(t, err)
	require.NoError(t, v.Mkdir("/m", 0o755))
	require.NoError(t, d.Mount("/m"))
	for what, err := range map[string]error{
		"link":      v.Link("/f", "/m/f"),
		"rename":    v.Rename("/f", "/m/f"),
		"renameat2": v.Renameat2("/f", "/m/f", fsfake.RenameExchange),
	} {
		require.ErrorIs(t, err, syscall.EXDEV, what)
	}
	require.ErrorIs(t, v.Rmdir("/m"), syscall.EBUSY)
	require.ErrorIs(t, v.Renameat2("/m", "/n", 0), syscall.EBUSY)
	require.NoError(t, v.WriteFile("/m/x", []byte("x"), 0o600))
	_, err = v.Stat("/m/../f")
	require.NoError(t, err)
	require.NoError(t, d.Unmount("/m"))
	_, err = v.Stat("/m/x")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, d.Check())

	require.NoError(t, v.Link("/f", "/f2"))
	require.NoError(t, v.Link("/f", "/f3"))
	require.ErrorIs(t, v.Link("/f", "/f4"), syscall.EMLINK)
	require.NoError(t, v.Mkdir("/m/1", 0o755))
	require.ErrorIs(t, v.Mkdir("/m/2", 0o755), syscall.EMLINK)
	for i := range 2 {
		require.NoError(t, v.WriteFile(fmt.Sprint("/g", i), nil, 0o600))
	}
	require.ErrorIs(t, v.Mkdir("/m/1/3", 0o755), syscall.ENOSPC)
	require.ErrorIs(t, v.Symlink("x", "/l"), syscall.ENOSPC)
	require.ErrorIs(t, v.Mkfifo("/p", 0o600), syscall.ENOSPC)
	_, err = v.OpenFile("/", os.O_WRONLY|fsfake.O_TMPFILE, 0o600)
	require.ErrorIs(t, err, syscall.ENOSPC)

	d.Remount(fsfake.ReadOnly())
	for _, o := range operations[4:17] { // those that change names or attributes
		d, v, _ := scene(t)
		d.Remount(fsfake.ReadOnly())
		s := d.Snapshot()
		require.ErrorIs(t, o.do(v, nil), syscall.EROFS, o.op)
		require.Empty(t, s.Diff())
	}
	_, err = f.(*fsfake.File).Write([]byte("open before"))
	require.NoError(t, err)
}
