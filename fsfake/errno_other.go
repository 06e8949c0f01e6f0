//go:build !windows

package fsfake

import "syscall"

// The errnos that package os of this system maps to io/fs errors.
const (
	errExist    = syscall.EEXIST
	errAccess   = syscall.EACCES
	errPerm     = syscall.EPERM
	errNotEmpty = syscall.ENOTEMPTY
)
