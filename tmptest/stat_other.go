//go:build !unix

package tmptest

import "io/fs"

// hasOwners: files have an owner and mode bits.
const hasOwners = false

// fileStat is what fs.FileInfo does not say. It stays zero where the system
// has no such thing.
type fileStat struct {
	dev, ino uint64
	nlink    uint64
	uid      int
}

func statOf(fs.FileInfo) fileStat { return fileStat{nlink: 1, uid: -1} }
