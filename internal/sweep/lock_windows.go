package sweep

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file's lock, which ends with the process, or fails at once
// when another one has it.
func lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
}
