package supervise

import (
	"errors"
)

// maxWritten bounds how much of a write is read, in bytes.
const maxWritten = 1 << 20

// Written is what a call of the write family was given to write, of its first
// MiB.
func Written(ev *Event) ([]byte, error) {
	switch ev.Name {
	case "write", "pwrite64":
		return gather(ev.TID, [][2]uint64{{ev.Args[1], ev.Args[2]}})
	case "writev", "pwritev", "pwritev2":
		parts, err := vectors(ev.TID, ev.Args[1], ev.Args[2])
		if err != nil {
			return nil, err
		}
		return gather(ev.TID, parts)
	}
	return nil, errors.New(ev.Name + " has its data elsewhere")
}

// gather reads parts of a thread's memory, of the first MiB.
func gather(tid int, parts [][2]uint64) (all []byte, err error) {
	for _, p := range parts {
		b := make([]byte, min(p[1], maxWritten-uint64(len(all))))
		if err := readMem(tid, p[0], b); err != nil {
			return all, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// Submission is a read or a write that a call of kind Submit begins.
type Submission struct {
	FD    int
	Write bool
	Data  []byte // of a write, of its first MiB
	Err   error  // why it has no Data
}

// maxSubmissions bounds how many are read of one call: as many as the kernel
// has at a time by default (the sysctl fs.aio-max-nr).
const maxSubmissions = 1 << 16

// Submitted are the reads and writes of an io_submit(2), up to the first that
// cannot be read, with which the kernel ends too.
func Submitted(ev *Event) (all []Submission) {
	for i := range min(ev.Args[1], maxSubmissions) {
		var at [1]uint64
		var cb [8]uint64 // a struct iocb
		if readWords(ev.TID, ev.Args[2]+8*i, at[:], 8) != nil || readWords(ev.TID, at[0], cb[:], 64) != nil {
			break
		}
		s := Submission{FD: int(int32(cb[2] >> 32))}
		const pread, pwrite, preadv, pwritev = 0, 1, 7, 8 // IOCB_CMD_
		switch uint16(cb[2]) {
		case pwrite:
			s.Write = true
			s.Data, s.Err = gather(ev.TID, [][2]uint64{{cb[3], cb[4]}})
		case pwritev:
			s.Write = true
			var parts [][2]uint64
			if parts, s.Err = vectors(ev.TID, cb[3], cb[4]); s.Err == nil {
				s.Data, s.Err = gather(ev.TID, parts)
			}
		case pread, preadv:
		default: // fsync, poll
			continue
		}
		all = append(all, s)
	}
	return all
}

// vectors reads an array of struct iovec: address and length of each.
func vectors(tid int, addr, n uint64) ([][2]uint64, error) {
	if n == 0 || n > maxMessages {
		return nil, nil
	}
	words := make([]uint64, 2*n)
	if err := readWords(tid, addr, words, 16*n); err != nil {
		return nil, err
	}
	list := make([][2]uint64, n)
	for i := range list {
		list[i] = [2]uint64{words[2*i], words[2*i+1]}
	}
	return list, nil
}
