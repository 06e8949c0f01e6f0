package leakcheck

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// takesSignals says whether other code of this program may take signals. Then
// a signal is the tests' affair: a process cannot know whether it was meant to
// end it, and whoever else waits for it. os/signal does not tell who has asked
// for a signal, but who could: the functions that call signal.Notify.
//
// It reads the whole program, some milliseconds, and says yes when cancelled.
func takesSignals(cancelled func() bool) bool {
	for _, arg := range os.Args {
		if strings.HasPrefix(strings.TrimLeft(arg, "-"), "test.fuzz=") {
			return true // fuzzing ends on SIGINT in a way of its own
		}
	}
	var targets [2]uint64
	for i, f := range []any{signal.Notify, signal.NotifyContext} {
		targets[i] = uint64(reflect.ValueOf(f).Pointer())
	}
	pcs, err := callSites(targets, cancelled)
	if err != nil {
		return true
	}
	for _, pc := range pcs {
		f := runtime.FuncForPC(uintptr(pc))
		if f == nil {
			continue
		}
		switch name := f.Name(); {
		case name == ownPackage+".(*signals).begin", name == ownPackage+".prepareSignals":
		case strings.HasPrefix(name, "os/signal."), strings.HasPrefix(name, "testing/internal/testdeps."):
		default:
			return true
		}
	}
	return false
}

// prepareSignals starts the goroutine of os/signal, before those are counted
// that the tests leave: SIGWINCH does nothing to a process that does not ask
// for it.
func prepareSignals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGWINCH)
	signal.Stop(c)
}

// callSites are the addresses of call instructions that lead to one of the
// targets. A few that are none may be among them: the bytes of other
// instructions.
func callSites(targets [2]uint64, cancelled func() bool) ([]uint64, error) {
	f, text, base, err := programText(targets)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var pcs []uint64
	var buf [1 << 16]byte
	const again = 4 // of a call of 5 bytes that lies across the end
	for at := int64(0); ; at += int64(len(buf)) - again {
		if cancelled() {
			return nil, context.Canceled
		}
		n, err := text.ReadAt(buf[:], at)
		if err != nil && err != io.EOF {
			return nil, err
		}
		pcs = calls(pcs, buf[:n], base+uint64(at), targets)
		if err == io.EOF {
			return slices.Compact(pcs), nil
		}
	}
}

// calls adds the call sites in the code at an address.
func calls(pcs []uint64, text []byte, base uint64, targets [2]uint64) []uint64 {
	if runtime.GOARCH == "arm64" {
		for i := 0; i+4 <= len(text); i += 4 {
			const bl = 0x25
			w := binary.LittleEndian.Uint32(text[i:])
			if w>>26 != bl {
				continue
			}
			at := base + uint64(i)
			if to := at + uint64(int64(int32(w<<6)>>6)*4); to == targets[0] || to == targets[1] {
				pcs = append(pcs, at)
			}
		}
		return pcs
	}
	for i := 0; i+5 <= len(text); i++ {
		const call = 0xe8
		n := bytes.IndexByte(text[i:len(text)-4], call)
		if n < 0 {
			break
		}
		i += n
		at := base + uint64(i)
		if to := at + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(text[i+1:])))); to == targets[0] || to == targets[1] {
			pcs = append(pcs, at)
		}
	}
	return pcs
}

// programText is the part of this program's file that has the targets, and the
// address at which the program runs it.
func programText(targets [2]uint64) (f *os.File, text *io.SectionReader, base uint64, err error) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return nil, nil, 0, unix.ENOTSUP
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, nil, 0, err
	}
	for line := range bytes.Lines(maps) {
		fields := strings.Fields(string(line))
		if len(fields) < 6 || fields[1] != "r-xp" {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		offset, err3 := strconv.ParseInt(fields[2], 16, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		for _, target := range targets {
			if target < start || target >= end {
				continue
			}
			f, err := os.Open("/proc/self/exe")
			if err != nil {
				return nil, nil, 0, err
			}
			return f, io.NewSectionReader(f, offset, int64(end-start)), start, nil
		}
	}
	return nil, nil, 0, unix.ENOENT
}
