package supervise

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// test is a call that stops by its arguments.
type test struct {
	nr   uint32
	when []cond
	hit  uint32 // what to return if one of them holds
	miss uint32
}

const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retNotify = unix.SECCOMP_RET_USER_NOTIF
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// chosen are the calls of the set: those that always stop, and those that
// stop by an argument.
func chosen(set Set) (whole []uint32, tests []test) {
	for _, c := range calls() {
		switch {
		case c.nr == unix.SYS_CLONE: // a thread is none of the tree's business
			tests = append(tests, test{c.nr, []cond{{0, unix.BPF_JSET, unix.CLONE_THREAD}}, retAllow, retNotify})
		case c.nr == unix.SYS_RT_SIGACTION: // to ask for a handler is none of the tree's business
			tests = append(tests, test{c.nr, []cond{equal(1, 0)}, retAllow, retNotify})
		case c.when() != nil && c.set&set&Data != 0:
			tests = append(tests, test{c.nr, c.when(), retNotify, retAllow})
		case c.nr == unix.SYS_TGKILL: // by which Go preempts itself all the time
			if c.set&set != 0 {
				when := []cond{equal(0, uint32(os.Getppid()))}
				if set&Held != 0 {
					when = append(when, made(0)...)
				}
				tests = append(tests, test{c.nr, when, retNotify, retAllow})
			}
		case c.set&set == Uses && c.nr != unix.SYS_SENDMMSG && c.kind != Submit:
			tests = append(tests, usesTest(c))
		case c.set&set == Creates && c.createBits != 0:
			tests = append(tests, test{c.nr, []cond{{c.flags, unix.BPF_JSET, c.createBits}}, retNotify, retAllow})
		case c.set&set != 0:
			whole = append(whole, c.nr)
		case c.nr == unix.SYS_FSYNC: // a message of the child's
			tests = append(tests, test{c.nr, []cond{equal(0, hyperFD)}, retNotify, retAllow})
		}
	}
	if set&Held == 0 {
		return whole, tests
	}
	for _, c := range heldCalls {
		if c.when == nil {
			whole = append(whole, c.nr)
		} else {
			tests = append(tests, test{c.nr, c.when, retNotify, retAllow})
		}
	}
	// The clock is looked at more often than anything else.
	slices.SortStableFunc(tests, func(a, b test) int {
		first := func(t test) int { return map[bool]int{true: 0, false: 1}[t.nr == unix.SYS_CLOCK_GETTIME] }
		return first(a) - first(b)
	})
	return whole, tests
}

// usesTest is when a call of the set Uses stops.
func usesTest(c syscallSpec) test {
	switch c.nr {
	case unix.SYS_MMAP:
		return test{c.nr, []cond{{c.flags, unix.BPF_JSET, unix.MAP_ANONYMOUS}}, retAllow, retNotify}
	case unix.SYS_FLOCK:
		return test{c.nr, []cond{{c.flags, unix.BPF_JSET, unix.LOCK_NB | unix.LOCK_UN}}, retAllow, retNotify}
	case unix.SYS_FCNTL:
		return test{c.nr, []cond{equal(c.flags, unix.F_SETLKW), equal(c.flags, unix.F_OFD_SETLKW)}, retNotify, retAllow}
	case unix.SYS_SENDTO: // without a name
		return test{c.nr, []cond{equal(5, 0)}, retAllow, retNotify}
	case unix.SYS_SENDMSG: // the listener's own way to the parent: see filterAndSend
		return test{c.nr, []cond{equal(2, handoverFlags)}, retAllow, retNotify}
	}
	return test{c.nr, []cond{equal(c.flags, unix.SO_PEERCRED)}, retNotify, retAllow} // getsockopt
}

// The requests of ioctl(2) that share another file's blocks (ioctl_ficlonerange(2),
// ioctl_fideduperange(2)), and the commands of fcntl(2) that lock.
const (
	ficlone       = 0x40049409
	ficloneRange  = 0x4020940d
	fidedupeRange = 0xc0189436
	ofdSetLock    = 37 // F_OFD_SETLK
	ofdSetLockW   = 38
)

// when are the arguments with which a call of many purposes stops; nil: with
// all.
func (c *syscallSpec) when() []cond {
	switch c.nr {
	case unix.SYS_IOCTL:
		return []cond{equal(1, ficlone), equal(1, ficloneRange), equal(1, fidedupeRange)}
	case unix.SYS_FCNTL:
		return []cond{equal(1, unix.F_SETLK), equal(1, unix.F_SETLKW), equal(1, ofdSetLock), equal(1, ofdSetLockW)}
	}
	return nil
}

// program is the filter. For most calls it reads the number and the
// architecture only: those that it always allows the kernel then keeps in a
// bitmap (5.11) and does not run it at all.
func program(set Set) []unix.SockFilter {
	ret := func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
	load := func(off uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
	}
	jump := func(op uint16, k uint32, t, f int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: uint8(t), Jf: uint8(f)}
	}
	p := []unix.SockFilter{
		load(offArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		ret(retNotify), // a program of another architecture: the parent names it opaque
		load(offNr),
	}
	if x32Bit != 0 {
		p = append(p, jump(unix.BPF_JSET, x32Bit, 0, 1), ret(retENOSYS))
	}
	whole, tests := chosen(set)
	for _, t := range tests {
		p = append(p, jump(unix.BPF_JEQ, t.nr, 0, 3*len(t.when)+1))
		for _, c := range t.when {
			p = append(p, load(offArg(c.arg)), jump(c.op, c.k, 0, 1), ret(t.hit))
		}
		p = append(p, ret(t.miss))
	}
	for i, nr := range whole { // fewer than 255: a jump's length is one byte
		p = append(p, jump(unix.BPF_JEQ, nr, len(whole)-i, 0))
	}
	return append(p, ret(retAllow), ret(retNotify))
}
