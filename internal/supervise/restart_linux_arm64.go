package supervise

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where a signal's frame has the registers that its end restores: behind 128
// bytes of siginfo_t and what comes before them in ucontext_t
// (arch/arm64/include/uapi/asm/{sigcontext,ucontext}.h).
const (
	frameRegs = 128 + 176 + 8
	framePC   = frameRegs + 8*32
)

// deliver lets a signal come to its handler. The kernel has gone back to the
// call's instruction already, and takes that back if the handler's flags say
// so, without asking the tracer: so the call's EINTR is looked for in the
// frame that the handler's return restores, at the handler's first
// instruction, and undone there.
func (tr *tracers) deliver(tid int, sig unix.Signal) {
	before, ok := registers(tid)
	nr := before.Regs[8]
	if !ok || !tr.cutShort(tid, nr, before.Pc+4, before.Regs[:6]) {
		ptrace(unix.PTRACE_CONT, tid, 0, uintptr(sig))
		return
	}
	ptrace(unix.PTRACE_SINGLESTEP, tid, 0, uintptr(sig))
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOTHREAD, nil)
		if err != unix.EINTR {
			break
		}
	}
	if !status.Stopped() {
		tr.remove(tid)
		return
	}
	if int(status)>>16 != 0 || status.StopSignal() != unix.SIGTRAP {
		tr.stopped(tid, status)
		return
	}
	if now, ok := registers(tid); ok && now.Sp < before.Sp {
		var x0, pc [8]byte
		errno := -int64(unix.EINTR)
		if readMem(tid, now.Sp+frameRegs, x0[:]) == nil && readMem(tid, now.Sp+framePC, pc[:]) == nil &&
			binary.LittleEndian.Uint64(x0[:]) == uint64(errno) && binary.LittleEndian.Uint64(pc[:]) == before.Pc+4 {
			binary.LittleEndian.PutUint64(x0[:], before.Regs[0])
			binary.LittleEndian.PutUint64(pc[:], before.Pc)
			_ = writeMem(tid, now.Sp+frameRegs, x0[:])
			_ = writeMem(tid, now.Sp+framePC, pc[:])
		}
	}
	ptrace(unix.PTRACE_CONT, tid, 0, 0)
}

func registers(tid int) (regs unix.PtraceRegs, ok bool) {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(&regs)), Len: uint64(unsafe.Sizeof(regs))}
	const prstatus = 1 // NT_PRSTATUS
	return regs, ptrace(unix.PTRACE_GETREGSET, tid, prstatus, uintptr(unsafe.Pointer(&iov))) == 0
}
