//go:build !linux && !darwin

package fsfake

func sysOf(a *attr) any {
	s := (&FileInfo{a: a}).Stat()
	return &s
}
