//go:build !js

package attack

import "syscall"

const errTextBusy = syscall.ETXTBSY
