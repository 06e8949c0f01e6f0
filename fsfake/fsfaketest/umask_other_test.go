//go:build !unix

package fsfaketest

func umask(int) int { return 0 }
