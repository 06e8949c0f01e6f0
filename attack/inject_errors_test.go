package attack

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/internal/supervise"
)

// TestCanFail holds the errors of a call against its manual page and against
// what its descriptor or file is.
func TestCanFail(t *testing.T) {
	at := func(n node) []lookup {
		return []lookup{{steps: []access{{dir: dirShared, name: "f", node: n, last: true}}}}
	}
	file := func(perm uint32) node { return node{id: id{ino: 1}, perm: perm} }
	reading, writing := descriptor{kind: "file"}, descriptor{kind: "file", write: true}
	stream := descriptor{kind: "FIFO", write: true}
	awake := descriptor{kind: "socket", write: true, nonblock: true}
	for _, tt := range []struct {
		name string
		b    boundary
		want string
	}{
		{"connect that waits", boundary{call: "connect", kind: supervise.Special, fd: descriptor{kind: "socket"}}, "ECONNREFUSED EACCES EINTR EPERM"},
		{"connect that does not", boundary{call: "connect", kind: supervise.Special, fd: awake}, "ECONNREFUSED EACCES EPERM"},
		{"bind", boundary{call: "bind", kind: supervise.Mknod}, "EADDRINUSE ENOSPC EDQUOT EROFS EACCES EPERM EIO ENOMEM ENOENT"},
		{"mknod", boundary{call: "mknodat", kind: supervise.Mknod}, "ENOSPC EDQUOT EROFS EACCES EPERM EEXIST EIO ENOMEM ENOENT"},
		{"close of what was written", boundary{call: "close", kind: supervise.Close, fd: writing}, "EIO ENOSPC EDQUOT EINTR"},
		{"close of what was read", boundary{call: "close", kind: supervise.Close, fd: reading}, "EIO EINTR"},
		{"close of a directory", boundary{call: "close", kind: supervise.Close, fd: descriptor{kind: "directory"}}, ""},
		{"close of a FIFO", boundary{call: "close", kind: supervise.Close, fd: stream}, ""},
		{"close of what is not known", boundary{call: "close", kind: supervise.Close}, "EIO ENOSPC EDQUOT EINTR"},
		{"fsync of a file", boundary{call: "fsync", kind: supervise.Write, fd: writing}, "EIO ENOSPC EDQUOT EINTR EROFS"},
		{"fsync of a directory", boundary{call: "fsync", kind: supervise.Write, fd: descriptor{kind: "directory"}}, "EIO ENOSPC EDQUOT EINTR EROFS"},
		{"fsync of a FIFO", boundary{call: "fsync", kind: supervise.Write, fd: stream}, ""},
		{"write to a file", boundary{call: "write", kind: supervise.Write, fd: writing}, "ENOSPC EDQUOT EFBIG EIO EINTR EPERM"},
		{"write to a FIFO", boundary{call: "write", kind: supervise.Write, fd: stream}, "EINTR"},
		{"write to a socket that does not wait", boundary{call: "write", kind: supervise.Write, fd: awake}, ""},
		{"read of a FIFO", boundary{call: "read", kind: supervise.Read, fd: stream}, "EINTR"},
		{"fchmod", boundary{call: "fchmod", kind: supervise.Attr, object: "shared/f"}, "EPERM EROFS EIO ENOMEM"},
		{"fchmodat", boundary{call: "fchmodat", kind: supervise.Attr}, "EPERM EACCES EROFS EIO ENOMEM"},
		{"open that creates", boundary{call: "openat", kind: supervise.Open, create: true, write: true, lookups: at(node{})}, "ENOSPC EDQUOT EROFS EACCES EPERM EMFILE ENFILE EINTR EIO ENOMEM ENOENT"},
		{"open that finds the file", boundary{call: "openat", kind: supervise.Open, create: true, write: true, lookups: at(file(0o600))}, "EACCES EPERM EROFS EMFILE ENFILE EINTR EIO ENOMEM"},
		{"open of a program for writing", boundary{call: "openat", kind: supervise.Open, write: true, lookups: at(file(0o700))}, "EACCES EPERM EROFS EMFILE ENFILE EINTR EIO ENOMEM ETXTBSY"},
		{"exclusive open", boundary{call: "openat", kind: supervise.Open, create: true, excl: true, write: true, lookups: at(node{})}, "ENOSPC EDQUOT EROFS EACCES EPERM EMFILE ENFILE EINTR EIO ENOMEM ENOENT EEXIST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			for _, e := range canFail(&tt.b) {
				names = append(names, errnoName(e))
			}
			assert.Equal(t, tt.want, strings.Join(names, " "))
		})
	}
	assert.Equal(t, []syscall.Errno{syscall.EIO}, words("EIO"))
}
