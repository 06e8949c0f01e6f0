package lookup

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Object is what the kernel says of an object, and by which mount it was
// reached.
type Object struct {
	Dev   uint64 // major<<32 | minor
	Ino   uint64
	Born  int64  // ns; 0 where the file system does not know
	Mount uint64 // 0 before Linux 5.8
	Mode  uint32 // type and permissions, as in st_mode
	Links uint32
}

// IsDir reports whether it is a directory.
func (o *Object) IsDir() bool { return o.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsLink reports whether it is a symbolic link.
func (o *Object) IsLink() bool { return o.Mode&unix.S_IFMT == unix.S_IFLNK }

// Regular reports whether it is a regular file.
func (o *Object) Regular() bool { return o.Mode&unix.S_IFMT == unix.S_IFREG }

// Same reports whether both are one object reached by one mount: the same place
// of a path.
func (o *Object) Same(p *Object) bool {
	return o.Ino == p.Ino && o.Dev == p.Dev && o.Mount == p.Mount && o.Born == p.Born
}

// Stat describes the object behind a name, or with "" and AT_EMPTY_PATH behind
// a descriptor. It is called so often that the name must not cost an
// allocation.
func Stat(dirfd int, name string, flags int) (Object, error) {
	const mask = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_NLINK | unix.STATX_INO | unix.STATX_BTIME | unix.STATX_MNT_ID
	var st unix.Statx_t
	var buf [256]byte
	flags |= unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	if len(name) < len(buf) {
		copy(buf[:], name)
		if _, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(dirfd), uintptr(unsafe.Pointer(&buf)), uintptr(flags), mask, uintptr(unsafe.Pointer(&st)), 0); errno != 0 {
			return Object{}, errno
		}
	} else if err := unix.Statx(dirfd, name, flags, mask, &st); err != nil {
		return Object{}, err
	}
	o := Object{Dev: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), Ino: st.Ino, Mode: uint32(st.Mode), Links: st.Nlink}
	if st.Mask&unix.STATX_BTIME != 0 {
		o.Born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		o.Mount = st.Mnt_id
	}
	return o, nil
}

// Place is an object that a walk holds open (O_PATH).
type Place struct {
	Object
	fd int
}

// FD is the descriptor, -1 when nothing is open.
func (p *Place) FD() int {
	if p.Ino == 0 {
		return -1
	}
	return p.fd
}

// Close closes the descriptor.
func (p *Place) Close() {
	if p.Ino != 0 {
		_ = unix.Close(p.fd)
	}
	*p = Place{}
}

// take closes the place and makes it another, which loses its own descriptor.
func (p *Place) take(q *Place) {
	p.Close()
	*p, *q = *q, Place{}
}

// open opens a name below a descriptor.
func open(dirfd int, name string, flags int) (Place, error) {
	fd, err := openat(dirfd, name, flags|unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return Place{}, err
	}
	return opened(fd)
}

func opened(fd int) (Place, error) {
	o, err := Stat(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		_ = unix.Close(fd)
		return Place{}, err
	}
	return Place{Object: o, fd: fd}, nil
}

// openat does without an allocation for the name, and takes an interrupted call
// up again.
func openat(dirfd int, name string, flags int) (int, error) {
	var buf [256]byte
	if len(name) >= len(buf) {
		return unix.Openat(dirfd, name, flags, 0)
	}
	copy(buf[:], name)
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dirfd), uintptr(unsafe.Pointer(&buf)), uintptr(flags), 0, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR:
		default:
			return -1, errno
		}
	}
}

// dup is another descriptor of the same place.
func (p *Place) dup() (Place, error) {
	fd, err := unix.FcntlInt(uintptr(p.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return Place{}, err
	}
	return Place{Object: p.Object, fd: fd}, nil
}
