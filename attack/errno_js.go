package attack

import "syscall"

// errTextBusy is ETXTBSY, which package syscall does not have here.
const errTextBusy = syscall.Errno(26)
