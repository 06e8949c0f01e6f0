//go:build !linux

package leakcheck

import (
	"errors"
	"runtime"
	"time"
)

func (s *session) supervised(string, time.Time) (*trial, error) {
	return nil, &errUnsupported{"stopping calls that make files needs Linux, and this is " + runtime.GOOS}
}

func attend() (tell func(), err error) {
	return nil, errors.New("this process was to be supervised, for which it needs Linux")
}

func holder() (holds func() []heldJSON, err error) {
	return func() []heldJSON { return nil }, nil
}
