package supervise

import (
	"errors"
)

// maxWritten bounds how much of a write is read, in bytes.
const maxWritten = 1 << 20

// Written is what a call of the write family was given to write, of its first
// MiB.
func Written(ev *Event) ([]byte, error) {
	var all []byte
	read := func(addr, size uint64) error {
		b := make([]byte, min(size, maxWritten-uint64(len(all))))
		if err := readMem(ev.TID, addr, b); err != nil {
			return err
		}
		all = append(all, b...)
		return nil
	}
	switch ev.Name {
	case "write", "pwrite64":
		return all, read(ev.Args[1], ev.Args[2])
	case "writev", "pwritev", "pwritev2":
		parts, err := vectors(ev.TID, ev.Args[1], ev.Args[2])
		for _, p := range parts {
			err = errors.Join(err, read(p[0], p[1]))
		}
		return all, err
	}
	return nil, errors.New(ev.Name + " has its data elsewhere")
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
