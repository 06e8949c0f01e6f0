package fsfake

import "syscall"

// On Windows package syscall invents numbers for POSIX names, and errors.Is
// with fs.ErrExist and fs.ErrPermission knows only the system's own codes.
const (
	errExist    = syscall.ERROR_FILE_EXISTS
	errAccess   = syscall.ERROR_ACCESS_DENIED
	errPerm     = syscall.ERROR_ACCESS_DENIED
	errNotEmpty = syscall.ERROR_DIR_NOT_EMPTY
)
