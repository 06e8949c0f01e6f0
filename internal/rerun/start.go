package rerun

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Variable is the environment variable that makes a process a child. It is
// taken out of the environment when the process starts.
const Variable = "TMPPROOF_CHILD"

// maxTransfer bounds what a parent hands to a child and a child to a parent.
const maxTransfer = 64 << 20

// ticket is what Variable says.
type ticket struct {
	parent  int    // process id of the process that starts the child
	call    ID     // the call to serve; N is 0 when there is none (Whole)
	earlier int    // bytes of earlier results on standard input
	result  uint64 // descriptor or handle for the answer of Once; 0: none
}

func (k ticket) String() string {
	return fmt.Sprintf("%d %d %d %d %s", k.parent, k.call.N, k.earlier, k.result, strconv.QuoteToASCII(k.call.Test))
}

// parseTicket accepts exactly what String writes.
func parseTicket(s string) (ticket, error) {
	bad := func() (ticket, error) {
		return ticket{}, fmt.Errorf("rerun: %s=%q was not written by tmpproof, which keeps this variable for its own child processes: unset it", Variable, s)
	}
	fields := strings.SplitN(s, " ", 5)
	if len(fields) != 5 {
		return bad()
	}
	var numbers [4]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(fields[i], 10, 63)
		if err != nil {
			return bad()
		}
		numbers[i] = n
	}
	test, err := strconv.Unquote(fields[4])
	if err != nil {
		return bad()
	}
	k := ticket{
		parent:  int(numbers[0]),
		call:    ID{Test: test, N: int(numbers[1])},
		earlier: int(numbers[2]),
		result:  numbers[3],
	}
	if k.String() != s || test == "" || k.call.N < 0 || k.parent < 1 || k.earlier > maxTransfer {
		return bad()
	}
	return k, nil
}

// origin is what this process was when it started. It is taken before
// TestMain and the tests can change the directory, os.Args, flag.CommandLine
// or the environment: later there is no portable way to know.
type origin struct {
	dir    string
	dirErr error
	args   []string
	flags  *flag.FlagSet

	child   bool
	call    ID
	earlier map[string][]byte // by ID.key
	result  *os.File          // nil unless started by Once
	results *os.File          // nil unless run outside of a supervisor: see Outside
	err     error             // why Variable could not be used
}

var process = begin()

func begin() *origin {
	o := &origin{args: slices.Clone(os.Args), flags: flag.CommandLine}
	o.dir, o.dirErr = os.Getwd()
	o.openResults()
	value, ok := os.LookupEnv(Variable)
	if !ok {
		return o
	}
	// What this process starts in its turn is not the child.
	_ = os.Unsetenv(Variable)
	k, err := parseTicket(value)
	if err != nil {
		o.err = err
		return o
	}
	// A descendant that inherited the variable before it was unset, such as a
	// program started by a package's init, has another parent.
	if k.parent != os.Getppid() {
		return o
	}
	o.child, o.call = true, k.call
	o.err = errors.Join(o.readEarlier(k.earlier), o.openResult(k.result))
	return o
}

func (o *origin) readEarlier(n int) error {
	if n == 0 {
		return nil
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(os.Stdin, data); err != nil {
		return fmt.Errorf("rerun: reading the results of earlier calls from standard input: %w", err)
	}
	if err := json.Unmarshal(data, &o.earlier); err != nil {
		return fmt.Errorf("rerun: the results of earlier calls: %w", err)
	}
	return nil
}

func (o *origin) openResult(handle uint64) error {
	if handle == 0 {
		return nil
	}
	f, err := inherited(uintptr(handle))
	if err != nil {
		return fmt.Errorf("rerun: the pipe to the parent: %w", err)
	}
	o.result = f
	return nil
}

// IsChild reports whether this process was started by rerun to serve a call.
// It is false in processes that the child starts, also when they run the same
// test binary.
func IsChild() bool { return process.child }

// IsWhole reports whether this process is a child that Whole prepared.
func IsWhole() bool { return process.child && process.call.N == 0 }
