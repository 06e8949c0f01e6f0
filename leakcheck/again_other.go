//go:build !linux

package leakcheck

import (
	"errors"
	"runtime"
	"time"
)

func (s *session) supervised(string, time.Duration, []*leak, time.Time) (*trial, error) {
	return nil, &errUnsupported{"stopping calls that make files needs Linux, and this is " + runtime.GOOS}
}

func attend(time.Duration) (tell func(), err error) {
	return nil, errors.New("this process was to be supervised, for which it needs Linux")
}

func holder() (holds func() []heldJSON, busy func() bool, err error) {
	return func() []heldJSON { return nil }, func() bool { return false }, nil
}
