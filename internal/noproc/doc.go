// Package noproc runs programs where there is no /proc, for tests of what is said
// then. It is for Linux.
package noproc
