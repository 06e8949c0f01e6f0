package supervise

// walk gives the return addresses of the stack that the thread had when it
// made the call at ip, innermost first, as the program's file has them, each
// with the bounds of its frame, until yield says false. Each frame's size at
// its instruction is in the program's line table, so that nothing is guessed:
// neither from frame pointers, which assembly does not keep, nor by looking for
// words that could be addresses.
func walk(m *memory, ip, sp, bias uint64, c code, yield func(pc uintptr, lo, hi uint64) bool) {
	for pc := uintptr(ip - bias); ; {
		size, ok := c.frameSize(pc)
		if !ok { // C code, or the bottom of the stack
			return
		}
		end := sp + uint64(int64(size))
		if !yield(pc, sp, end) {
			return
		}
		ret, err := m.word(end)
		if err != nil || ret == 0 {
			return
		}
		sp = end + 8
		pc = uintptr(ret - bias)
	}
}

// ownCode is the line table of this binary.
func ownCode() (code, error) { return frameTable() }
