//go:build unix

package fsfaketest

import "syscall"

func umask(mask int) int { return syscall.Umask(mask) }
