package fsfake

import "io/fs"

// The mode bits of Linux, as stat(2) gives them.
const (
	typeMask = 0o170000
	typeSock = 0o140000
	typeLink = 0o120000
	typeReg  = 0o100000
	typeBlk  = 0o060000
	typeDir  = 0o040000
	typeChr  = 0o020000
	typeFifo = 0o010000

	bitSetuid = 0o4000
	bitSetgid = 0o2000
	bitSticky = 0o1000
	bitsAll   = 0o7777
)

// permBits gives the permission and set-id bits of a Go mode as the system has
// them.
func permBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= bitSetuid
	}
	if m&fs.ModeSetgid != 0 {
		bits |= bitSetgid
	}
	if m&fs.ModeSticky != 0 {
		bits |= bitSticky
	}
	return bits
}

// fileMode gives a system mode as Go has it.
func fileMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	if m&bitSetuid != 0 {
		mode |= fs.ModeSetuid
	}
	if m&bitSetgid != 0 {
		mode |= fs.ModeSetgid
	}
	if m&bitSticky != 0 {
		mode |= fs.ModeSticky
	}
	switch m & typeMask {
	case typeDir:
		mode |= fs.ModeDir
	case typeLink:
		mode |= fs.ModeSymlink
	case typeFifo:
		mode |= fs.ModeNamedPipe
	case typeSock:
		mode |= fs.ModeSocket
	case typeChr:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case typeBlk:
		mode |= fs.ModeDevice
	}
	return mode
}

// typeBits gives the type of a Go mode as the system has it.
func typeBits(m fs.FileMode) uint32 {
	switch m & fs.ModeType {
	case fs.ModeDir:
		return typeDir
	case fs.ModeSymlink:
		return typeLink
	case fs.ModeNamedPipe:
		return typeFifo
	case fs.ModeSocket:
		return typeSock
	case fs.ModeDevice | fs.ModeCharDevice, fs.ModeCharDevice:
		return typeChr
	case fs.ModeDevice:
		return typeBlk
	case 0:
		return typeReg
	}
	return typeMask // no such type
}
