package supervise

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// x32Bit is zero: arm64 has one ABI (32-bit programs bear another arch).
const x32Bit = 0

var archCalls = []syscallSpec{
	name(unix.SYS_NEWFSTATAT, "newfstatat", Check, paths(at(0, 1, unlessBit, atNofollow))).withFlags(3),
	name(unix.SYS_RENAMEAT, "renameat", Rename, paths(at(0, 1, never, 0), at(2, 3, never, 0))),
}
