//go:build !linux && !darwin && !windows

package tmptest

import (
	"errors"
	"runtime"
)

func statfs(string) (fsInfo, error) {
	return fsInfo{}, errors.New("the type of a file system is not read on " + runtime.GOOS)
}
