package fsfake

// The errnos that differ between systems, for tests.
const (
	ErrAccess   = errAccess
	ErrPerm     = errPerm
	ErrExist    = errExist
	ErrNotEmpty = errNotEmpty
)
