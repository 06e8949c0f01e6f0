package rerun

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// endOfLog is written behind what a child has written: a process that it forked
// may hold the pipe open.
const endOfLog = "\x00\n"

// newInputs has a log in a pipe: a file would be under the limits that a victim
// sets itself (RLIMIT_FSIZE), and needs room. The child opens it by this
// process's descriptor, so that programs do not inherit it.
func newInputs(string) (*inputs, error) {
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 1 {
		return nil, fmt.Errorf("a child may not open what is below /proc/%d", os.Getpid())
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	log := make(chan *inputsLog, 1)
	go func() {
		defer r.Close()
		l := newInputsLog()
		for in := bufio.NewReader(r); ; {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasSuffix(line, endOfLog) {
				log <- l
				return
			}
			l.add(line)
		}
	}()
	return &inputs{
		name: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), w.Fd()),
		read: func() *inputsLog {
			defer w.Close()
			if _, err := w.WriteString(endOfLog); err != nil {
				return newInputsLog()
			}
			return <-log
		},
	}, nil
}
