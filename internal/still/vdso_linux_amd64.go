package still

import "encoding/binary"

const clockName = "__vdso_clock_gettime"

// clockCode is clock_gettime(2) for CLOCK_REALTIME and CLOCK_REALTIME_COARSE;
// for the other clocks, and now and then for these, it is the system call.
var clockCode = []byte{
	0x85, 0xff, // test   edi, edi
	0x74, 0x0d, // je     held
	0x83, 0xff, 0x05, // cmp    edi, 5
	0x74, 0x08, // je     held
	0xb8, 0xe4, 0x00, 0x00, 0x00, // call: mov eax, 228
	0x0f, 0x05, // syscall
	0xc3,       // ret
	0x0f, 0x31, // held: rdtsc
	0x85, 0x05, 0xcf, 0xff, 0xff, 0xff, // test   [rip-0x31], eax    offMask
	0x74, 0xee, // je     call
	0x48, 0x8b, 0x05, 0xbe, 0xff, 0xff, 0xff, // mov    rax, [rip-0x42]    offTime
	0x31, 0xd2, // xor    edx, edx
	0xb9, 0x00, 0xca, 0x9a, 0x3b, // mov    ecx, 1000000000
	0x48, 0xf7, 0xf1, // div    rcx
	0x48, 0x89, 0x06, // mov    [rsi], rax
	0x48, 0x89, 0x56, 0x08, // mov    [rsi+8], rdx
	0x31, 0xc0, // xor    eax, eax
	0xc3, // ret
}

// stubs are the functions that become the plain system call, and the one that
// says that there is none.
var stubs = map[string][]byte{
	"__vdso_gettimeofday": {0xb8, 96, 0, 0, 0, 0x0f, 0x05, 0xc3},
	"__vdso_time":         {0xb8, 201, 0, 0, 0, 0x0f, 0x05, 0xc3},
	"__vdso_getrandom":    {0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0xc3}, // -ENOSYS
}

// jump leads to what lies off bytes further.
func jump(off int64) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(int32(off-5)))
}
