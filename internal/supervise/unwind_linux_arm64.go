package supervise

import "runtime"

// walk gives the return addresses of the stack that the thread had when it
// made the call, innermost first, as the program's file has them, each with
// the bounds of its frame, until yield says false. The function with the SVC
// instruction has no frame and keeps its return address in a register, which
// cannot be read from outside; its caller's frame has its own return address at
// [SP] and its caller's frame pointer at [SP-8], as every Go frame on arm64 has.
// The function that issued the call itself is thus missing; it is one of the
// syscall packages.
func walk(m *memory, ip, sp, bias uint64, c code, yield func(pc uintptr, lo, hi uint64) bool) {
	for fp := sp - 8; ; {
		ret, err := m.word(fp + 8)
		if err != nil || ret == 0 {
			return
		}
		pc := uintptr(ret - bias)
		if _, ok := c.frameSize(pc); !ok {
			return
		}
		next, err := m.word(fp)
		last := err != nil || next <= fp // stacks grow down: a caller's frame is above
		var hi uint64
		if !last {
			hi, _ = m.word(next)
		}
		if !yield(pc, next+8, hi+8) || last {
			return
		}
		fp = next
	}
}

// ownTable is this binary, whose frames are found by their frame pointers:
// only whether an address is Go code is asked of it.
type ownTable struct{}

func (ownTable) frameSize(pc uintptr) (int32, bool) { return 0, runtime.FuncForPC(pc-1) != nil }

func (ownTable) frames(pcs []uintptr) []runtime.Frame { return ownFrames(pcs) }

func ownCode() (code, error) { return ownTable{}, nil }
