package supervise

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// x32Bit is zero: arm64 has one ABI (32-bit programs bear another arch).
const x32Bit = 0

var archCalls = []syscallSpec{
	names(unix.SYS_NEWFSTATAT, "newfstatat", Check, atFlags(0, 1).orNull()).withFlags(3),
	creates(unix.SYS_RENAMEAT, "renameat", Rename, at(0, 1, name), at(2, 3, name)),
}

// getpgrp is getpgid of oneself; arm64 has no such call.
const getpgrp = -1

var archHeldCalls []heldCall
