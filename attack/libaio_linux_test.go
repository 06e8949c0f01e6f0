package attack_test

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The commands of libaio (linux/aio_abi.h).
const (
	aioRead        = 0
	aioWrite       = 1
	aioReadVector  = 7
	aioWriteVector = 8
)

// vector is one struct iovec, as the bytes that a command is given. It is not
// moved: what it leads to lives as long.
func vector(b []byte) []byte {
	v := &struct {
		unix.Iovec
		of []byte
	}{unix.Iovec{Base: &b[0], Len: uint64(len(b))}, b}
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), 1) // the number of vectors
}

// submit runs one command of libaio on a descriptor, and waits for its end.
func submit(fd int, command uint16, b []byte) (int, error) {
	var ring uintptr
	if err := call(unix.SYS_IO_SETUP, 1, pointer(&ring)); err != nil {
		return 0, err
	}
	defer func() { _ = call(unix.SYS_IO_DESTROY, ring) }()
	cb := &struct { // struct iocb
		data                uint64
		key, flags          uint32
		command             uint16
		priority            int16
		fd                  uint32
		buf, size           uint64
		offset              int64
		_                   uint64
		moreFlags, signalFD uint32
	}{command: command, fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(&b[0]))), size: uint64(len(b))}
	if err := call(unix.SYS_IO_SUBMIT, ring, 1, pointer(&cb)); err != nil {
		return 0, err
	}
	event := new([4]uint64) // struct io_event
	if err := call(unix.SYS_IO_GETEVENTS, ring, 1, 1, pointer(event), 0); err != nil {
		return 0, err
	}
	for _, used := range []any{b, cb, event} {
		runtime.KeepAlive(used)
	}
	if n := int64(event[2]); n < 0 {
		return 0, unix.Errno(-n)
	}
	if event[2] == 0 {
		return 0, errors.New("nothing was read or written")
	}
	return int(event[2]), nil
}
