package attack

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// state is all that the kernel tells of an object at one moment.
type state struct {
	node   node
	extras map[string]string
	at     time.Time
}

func (d *osDisk) state(name string) state {
	delete(d.nodes, name)
	return state{node: d.stat(name), extras: d.extras(name), at: time.Now()}
}

// still reports whether an object is as it was.
func (d *osDisk) still(name string, was state) bool {
	n := d.stat(name)
	return n == was.node && d.touched(n.id)&^wasRead == 0 && (!young(n, was.at) || maps.Equal(d.extras(name), was.extras))
}

// lookInto opens directories that the victim has closed in the end, also to
// itself: without privilege nobody else could see what it leaves there.
func (d *osDisk) lookInto(dirs ...string) {
	for _, dir := range dirs {
		if n := d.stat(dir); n.isDir() && n.perm&0o700 != 0o700 {
			_ = d.chmod(dir, n.perm|0o700)
		}
	}
}

func (d *osDisk) extras(name string) map[string]string {
	all := map[string]string{}
	path := fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, name)
	buf := make([]byte, 1<<10)
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, 1<<16) // XATTR_LIST_MAX
		n, _ = unix.Llistxattr(path, buf)
	}
	for key := range bytes.SplitSeq(buf[:max(n, 0)], []byte{0}) {
		if len(key) > 0 {
			all[string(key)] = d.xattr(path, string(key))
		}
	}
	if flags, ok := d.flags(name); ok {
		all[flagsExtra] = fmt.Sprintf("%#x", flags)
	}
	return all
}

func (d *osDisk) xattr(path, key string) string {
	buf := make([]byte, 256)
	n, err := unix.Lgetxattr(path, key, buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, 1<<16) // XATTR_SIZE_MAX
		n, _ = unix.Lgetxattr(path, key, buf)
	}
	return string(buf[:max(n, 0)])
}

// flags are the inode flags of a file or directory that can be opened, on a
// file system that has them. Those of ext4 that the kernel sets itself (its
// index of a large directory, extents) are none of anybody's doing.
func (d *osDisk) flags(name string) (uint32, bool) {
	if n := d.stat(name); !n.regular() && !n.isDir() {
		return 0, false
	}
	fd, err := d.open(name, unix.O_RDONLY, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	return flags & userFlags, err == nil
}

// userFlags are FS_FL_USER_MODIFIABLE of include/uapi/linux/fs.h.
const userFlags = 0x000380FF

// unflag takes inode flags off that stand against a removal.
func (d *osDisk) unflag(name string, want uint32) {
	flags, ok := d.flags(name)
	if !ok || flags == want {
		return
	}
	fd, err := d.open(name, unix.O_RDONLY, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	now, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err == nil {
		_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(now&^userFlags|want))
	}
}

// restore gives a part of the scene the state that it was built with: the mode,
// the owner, the times and whatever else a victim may have set.
func (d *osDisk) restore(name string, was state) error {
	_ = d.chmod(name, was.node.perm) // or nobody can look; not where a flag forbids it
	now := d.state(name)
	defer d.forget()
	if !maps.Equal(now.extras, was.extras) {
		if err := d.restoreExtras(name, now.extras, was.extras); err != nil {
			return err
		}
	}
	if now.node.uid != was.node.uid || now.node.gid != was.node.gid {
		if err := unix.Fchownat(d.fd, name, int(was.node.uid), int(was.node.gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return pathError("chown", name, err)
		}
	}
	return d.chmod(name, was.node.perm)
}

func (d *osDisk) restoreExtras(name string, now, was map[string]string) error {
	var flags uint32
	_, _ = fmt.Sscanf(was[flagsExtra], "%v", &flags)
	d.unflag(name, flags)
	path := fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, name)
	for key := range now {
		if _, ok := was[key]; !ok && key != flagsExtra && !kernels(key) {
			if err := unix.Lremovexattr(path, key); err != nil && err != unix.ENODATA {
				return pathError("removexattr "+key, name, err)
			}
		}
	}
	for key, v := range was {
		if now[key] != v && key != flagsExtra && !kernels(key) {
			if err := unix.Lsetxattr(path, key, []byte(v), 0); err != nil {
				return pathError("setxattr "+key, name, err)
			}
		}
	}
	return nil
}

// kernels reports whether an extended attribute is a security module's, which
// keeps it itself.
func kernels(key string) bool {
	return strings.HasPrefix(key, "security.") && key != "security.capability"
}
