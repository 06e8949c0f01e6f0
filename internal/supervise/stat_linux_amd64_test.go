package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

var archOwners = map[string]func(path string, fd int) (uint32, uint32, error){
	"stat":  func(path string, _ int) (uint32, uint32, error) { return rawStat(unix.SYS_STAT, path) },
	"lstat": func(path string, _ int) (uint32, uint32, error) { return rawStat(unix.SYS_LSTAT, path) },
}

func rawStat(nr uintptr, path string) (uint32, uint32, error) {
	var st unix.Stat_t
	name := cstring(path)
	_, _, errno := unix.Syscall(nr, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&st)), 0)
	return st.Uid, st.Gid, failed(errno)
}
