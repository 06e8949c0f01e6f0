//go:build linux && !amd64 && !arm64

package supervise

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// What the other processors lack; begin refuses there.
const (
	auditArch = 0
	x32Bit    = 0
)

var archCalls []syscallSpec

const getpgrp = -1

var archHeldCalls []heldCall

func walk(*memory, uint64, uint64, uint64, code, func(pc uintptr, lo, hi uint64) bool) {}

func ownCode() (code, error) { return nil, errors.New("no unwinder for " + runtime.GOARCH) }

func (tr *tracers) deliver(int, unix.Signal) {}
