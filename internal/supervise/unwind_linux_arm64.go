package supervise

import "runtime"

// walk gives the return addresses of the stack that the thread had when it
// made the call, innermost first, in our own addresses. The function with the
// SVC instruction has no frame and keeps its return address in a register,
// which cannot be read from outside; its caller's frame has its own return
// address at [SP] and its caller's frame pointer at [SP-8], as every Go frame
// on arm64 has. The function that issued the call itself is thus missing; it
// is one of the syscall packages.
func walk(m *memory, ip, sp, bias uint64) ([]uintptr, error) {
	var pcs []uintptr
	for fp := sp - 8; len(pcs) < maxFrames; {
		ret, err := m.word(fp + 8)
		if err != nil || ret == 0 {
			break
		}
		pc := uintptr(ret - bias)
		if runtime.FuncForPC(pc-1) == nil {
			break
		}
		pcs = append(pcs, pc)
		next, err := m.word(fp)
		if err != nil || next <= fp { // stacks grow down: a caller's frame is above
			break
		}
		fp = next
	}
	return pcs, nil
}
