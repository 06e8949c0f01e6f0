package attack

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// requestOf is what a lock or a seek asks for.
func requestOf(ev *supervise.Event) request {
	const ofdSetLockW = 38 // F_OFD_SETLKW
	switch ev.Name {
	case "flock":
		switch {
		case ev.Flags&unix.LOCK_UN != 0:
			return asksUnlock
		case ev.Flags&unix.LOCK_NB != 0:
			return asksLockNow
		}
		return asksLockWait
	case "fcntl":
		var kind [2]byte // struct flock begins with l_type
		switch {
		case ev.Read(ev.Args[2], kind[:]) == nil && kind[0] == unix.F_UNLCK:
			return asksUnlock
		case ev.Flags == unix.F_SETLKW || ev.Flags == ofdSetLockW:
			return asksLockWait
		}
		return asksLockNow
	case "lseek":
		if ev.Flags != unix.SEEK_SET && ev.Flags != unix.SEEK_CUR {
			return asksSeek
		}
	}
	return asksOther
}

// mappedFile is the file of the mapping that an msync is about.
func mappedFile(ev *supervise.Event) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", ev.TID))
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var lo, hi uint64
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x", &lo, &hi); n == 2 && ev.Args[0] >= lo && ev.Args[0] < hi {
			if i := strings.IndexByte(lines.Text(), '/'); i >= 0 {
				return lines.Text()[i:]
			}
		}
	}
	return ""
}
