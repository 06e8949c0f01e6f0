package attack

import (
	"debug/elf"
	"encoding/binary"
	"path"
	"runtime"
)

// loadsFrom reports whether the kernel looks for a program's loader at a name,
// or will when there is something on the way.
func (b *boundary) loadsFrom(name string) bool {
	for _, l := range b.lookups {
		if l.loader && len(l.steps) > 0 {
			if end := l.steps[len(l.steps)-1]; path.Join(end.path(), namesIn(end.rest)) == name {
				return true
			}
		}
	}
	return false
}

// loaderProgram is a program that does nothing and reports success, as what the
// attacker puts where the kernel looks for a program's loader: that can be no
// script.
func loaderProgram() string {
	machine, code := elf.EM_X86_64, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05} // mov $60,%eax; xor %edi,%edi; syscall
	if runtime.GOARCH == "arm64" {
		machine, code = elf.EM_AARCH64, []byte{0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 1, 0, 0, 0xd4} // mov x8,#93; mov x0,#0; svc #0
	}
	const header, at = 64 + 56, 0x10000
	b := make([]byte, 0, header+len(code))
	b = append(b, elf.ELFMAG...)
	b = append(b, byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT))
	b = append(b, make([]byte, 9)...)
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(elf.ET_DYN))
	b = le.AppendUint16(b, uint16(machine))
	b = le.AppendUint32(b, uint32(elf.EV_CURRENT))
	b = le.AppendUint64(b, at+header) // entry
	b = le.AppendUint64(b, 64)        // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, uint32(elf.PT_LOAD))
	b = le.AppendUint32(b, uint32(elf.PF_R|elf.PF_X))
	// Whole pages: older kernels clear the rest of the last one, which is not to
	// be written (load_elf_interp in fs/binfmt_elf.c).
	const size = 0x10000
	for _, v := range []uint64{0, at, at, size, size, size} { // offset, addresses, sizes, alignment
		b = le.AppendUint64(b, v)
	}
	b = append(b, code...)
	return string(append(b, make([]byte, size-len(b))...))
}
