package still

import "encoding/binary"

const clockName = "__kernel_clock_gettime"

// clockCode is clock_gettime(2) for CLOCK_REALTIME and CLOCK_REALTIME_COARSE;
// for the other clocks, and now and then for these, it is the system call.
var clockCode = words(
	0x340000c0, // cbz   w0, held
	0x7100141f, // cmp   w0, #5
	0x54000080, // b.eq  held
	0xd2800e28, // call: mov x8, #113
	0xd4000001, // svc   #0
	0xd65f03c0, // ret
	0x10fffe49, // held: adr x9, .-56          offTime
	0xf940052a, // ldr   x10, [x9, #8]         offMask
	0xd53be04b, // mrs   x11, cntvct_el0
	0xea0b015f, // tst   x10, x11
	0x54ffff20, // b.eq  call
	0xf940012a, // ldr   x10, [x9]
	0xf9400d2b, // ldr   x11, [x9, #24]        1e9
	0x9acb094c, // udiv  x12, x10, x11
	0x9b0ba98d, // msub  x13, x12, x11, x10
	0xa900342c, // stp   x12, x13, [x1]
	0x52800000, // mov   w0, #0
	0xd65f03c0, // ret
)

// stubs are the functions that become the plain system call, and the one that
// says that there is none.
var stubs = map[string][]byte{
	"__kernel_gettimeofday": words(0xd2801528, 0xd4000001, 0xd65f03c0), // mov x8, #169; svc #0; ret
	"__kernel_getrandom":    words(0x928004a0, 0xd65f03c0),             // mov x0, #-38; ret
}

// jump leads to what lies off bytes further.
func jump(off int64) []byte { return words(0x14000000 | uint32(off>>2)&0x3ffffff) }

func words(list ...uint32) (b []byte) {
	for _, w := range list {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}
