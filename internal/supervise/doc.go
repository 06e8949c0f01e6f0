// Package supervise runs a process tree on Linux with every file system call
// stopped at its boundary.
package supervise

// UnsupportedError says that the mechanism does not work here, and why.
type UnsupportedError struct{ Reason string }

// Error gives the reason.
func (e *UnsupportedError) Error() string { return e.Reason }
