//go:build unix

package tmptest

import (
	"io/fs"
	"syscall"
)

// hasOwners: files have an owner and mode bits.
const hasOwners = true

// fileStat is what fs.FileInfo does not say.
type fileStat struct {
	dev, ino uint64
	nlink    uint64
	uid      int
}

func statOf(info fs.FileInfo) fileStat {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileStat{uid: -1}
	}
	return fileStat{dev: uint64(st.Dev), ino: uint64(st.Ino), nlink: uint64(st.Nlink), uid: int(st.Uid)}
}
