package supervise

// walk gives the return addresses of the stack that the thread had when it
// made the call at ip, innermost first, in our own addresses. Each frame's
// size at its instruction is in this binary's line table, so that nothing is
// guessed: neither from frame pointers, which assembly does not keep, nor by
// looking for words that could be addresses.
func walk(m *memory, ip, sp, bias uint64) ([]uintptr, error) {
	table, err := frameTable()
	if err != nil {
		return nil, err
	}
	var pcs []uintptr
	for pc := uintptr(ip - bias); len(pcs) < maxFrames; {
		size, ok := table.frameSize(pc)
		if !ok {
			break // C code, or the bottom of the stack
		}
		pcs = append(pcs, pc)
		ret, err := m.word(sp + uint64(int64(size)))
		if err != nil || ret == 0 {
			break
		}
		sp += uint64(int64(size) + 8)
		pc = uintptr(ret - bias)
	}
	return pcs, nil
}
