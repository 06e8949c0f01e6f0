package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// deliver lets a signal come to its handler. Before that the registers say what
// becomes of an interrupted call: ERESTARTSYS asks the handler's flags,
// ERESTARTNOINTR begins it anew in any case (arch/x86/kernel/signal.c).
func (tr *tracers) deliver(tid int, sig unix.Signal) {
	var regs unix.PtraceRegs
	if ptrace(unix.PTRACE_GETREGS, tid, 0, uintptr(unsafe.Pointer(&regs))) == 0 && int64(regs.Rax) == -eRESTARTSYS &&
		tr.cutShort(tid, regs.Orig_rax, regs.Rip, []uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9}) {
		regs.Rax = -eRESTARTNOINTR & (1<<64 - 1)
		ptrace(unix.PTRACE_SETREGS, tid, 0, uintptr(unsafe.Pointer(&regs)))
	}
	ptrace(unix.PTRACE_CONT, tid, 0, uintptr(sig))
}
