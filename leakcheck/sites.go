package leakcheck

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// site is a place in the code under test that makes names.
type site struct {
	chain string
	makes makes
	drawn bool // os draws the name
}

// makes is what a call makes.
type makes int

const (
	makesFile makes = 1 << iota
	makesDir
	makesSymlink
	makesSocket
	makesFIFO
	makesAny // gives what is there another name
	makesProcess
)

// makers are functions of the standard library, and of x/sys, by what they
// make. The outermost one on a stack decides.
var makers = map[string]makes{
	"os.Create": makesFile, "os.CreateTemp": makesFile, "os.WriteFile": makesFile, "os.OpenFile": makesFile,
	"os.(*Root).Create": makesFile, "os.(*Root).WriteFile": makesFile, "os.(*Root).OpenFile": makesFile,
	"os.Open": 0, "os.ReadFile": 0, "os.ReadDir": 0, "os.(*Root).Open": 0, "os.(*Root).ReadFile": 0, "os.RemoveAll": 0, "os.(*Root).RemoveAll": 0,
	"os.Mkdir": makesDir, "os.MkdirAll": makesDir, "os.MkdirTemp": makesDir, "os.(*Root).Mkdir": makesDir, "os.(*Root).MkdirAll": makesDir,
	"os.CopyFS":  makesDir | makesFile | makesSymlink,
	"os.Symlink": makesSymlink, "os.(*Root).Symlink": makesSymlink,
	"os.Link": makesAny, "os.(*Root).Link": makesAny, "os.Rename": makesAny, "os.(*Root).Rename": makesAny,
	"os.StartProcess": makesProcess, "os/exec.(*Cmd).Start": makesProcess, "os/exec.(*Cmd).Run": makesProcess,
	"os/exec.(*Cmd).Output": makesProcess, "os/exec.(*Cmd).CombinedOutput": makesProcess,
	"syscall.Open": makesFile, "syscall.Openat": makesFile, "syscall.Creat": makesFile, "syscall.Mkdir": makesDir, "syscall.Mkdirat": makesDir,
	"syscall.Symlink": makesSymlink, "syscall.Link": makesAny, "syscall.Rename": makesAny, "syscall.Mkfifo": makesFIFO, "syscall.Mknod": makesFIFO,
	"syscall.Bind": makesSocket, "syscall.ForkExec": makesProcess, "syscall.StartProcess": makesProcess,
	"testing.(*common).TempDir": 0, // removes it
}

// sites are the places that a trace has.
type sites struct {
	list []site
	err  error
}

// callSitesOf reads a trace of the Go runtime. Of all that it has only the
// tables of stacks and strings are read: a stack that leads into a function of
// makers is that of a system call.
func callSitesOf(file string) *sites {
	b, err := os.ReadFile(file)
	if err != nil {
		return &sites{err: err}
	}
	all := &sites{}
	all.err = readStacks(b, func(frames []runtime.Frame) {
		st := site{}
		for _, f := range frames {
			if strings.HasPrefix(f.Function, "internal/coverage/") {
				return // of package testing's own files, when the tests have ended
			}
			if m, ok := makers[strings.Replace(f.Function, "golang.org/x/sys/unix.", "syscall.", 1)]; ok {
				st.makes = m
				st.drawn = f.Function == "os.CreateTemp" || f.Function == "os.MkdirTemp"
			}
		}
		if st.chain = chain(frames); st.makes != 0 && st.chain != "" && !slices.Contains(all.list, st) {
			all.list = append(all.list, st)
		}
	})
	return all
}

var longNumber = regexp.MustCompile(`[0-9]{5,}`)

// of is the line that made a leak where it is the only one that can have, and
// otherwise the lines that can have.
func (s *sites) of(l *leak) (line, doubt string) {
	want := makesFile
	switch {
	case l.kind == process:
		want = makesProcess
	case l.typ == fs.ModeDir:
		want = makesDir
	case l.typ == fs.ModeSymlink:
		want = makesSymlink
	case l.typ == fs.ModeSocket:
		want = makesSocket
	case l.typ == fs.ModeNamedPipe:
		want = makesFIFO
	}
	var all, likely []string // by place, by what else is known of the name
	drawn := longNumber.MatchString(l.name)
	for _, st := range s.list {
		if st.makes&(want|makesAny|makesProcess) == 0 || l.kind == process && st.makes != makesProcess || slices.Contains(all, st.chain) {
			continue
		}
		all = append(all, st.chain)
		if st.makes&want != 0 && st.drawn == drawn {
			likely = append(likely, st.chain)
		}
	}
	switch slices.Sort(all); {
	case len(all) == 1:
		return all[0], ""
	case len(all) == 0 && s.err != nil:
		return "", "no line: " + s.err.Error()
	case len(all) == 0:
		return "", ""
	case len(likely) > 0:
		slices.Sort(likely)
		all = likely
	}
	const most = 4
	doubt = "made at one of: "
	if len(all) == 1 {
		doubt = "likely made at "
	}
	doubt += strings.Join(all[:min(len(all), most)], "; ")
	if len(all) > most {
		doubt += fmt.Sprintf("; and %d more", len(all)-most)
	}
	return "", doubt
}

// Parts of a trace, from Go's internal/trace/tracev2: batches of events, of
// which some are tables.
const (
	evBatch             = 1
	evStacks            = 2
	evStack             = 3 // id, n, n times {pc, function, file, line}
	evStrings           = 4
	evString            = 5 // id, length, bytes
	evExperimentalBatch = 49
	evEndOfGeneration   = 52
	traceHeader         = "go 1."
	traceHeaderSize     = 16
)

var errTrace = errors.New("this Go version's trace is not understood")

// readStacks gives each stack of a trace, the innermost frame first.
func readStacks(trace []byte, each func([]runtime.Frame)) (err error) {
	if len(trace) < traceHeaderSize || !bytes.HasPrefix(trace, []byte(traceHeader)) {
		return errTrace
	}
	r := bytes.NewReader(trace[traceHeaderSize:])
	uint := func() uint64 {
		n, e := binary.ReadUvarint(r)
		if e != nil && err == nil {
			err = errTrace
		}
		return n
	}
	type key struct{ generation, id uint64 }
	strs := map[key]string{}
	stacks := map[uint64][][][3]uint64{} // by generation: function, file, line
	for err == nil && r.Len() > 0 {
		switch b, _ := r.ReadByte(); b {
		case evEndOfGeneration:
			continue
		case evExperimentalBatch:
			_, _ = r.ReadByte()
		case evBatch:
		default:
			return errTrace
		}
		generation := uint()
		uint() // thread
		uint() // time
		size := uint()
		if err != nil || size > uint64(r.Len()) {
			return errTrace
		}
		rest := r.Len() - int(size)
		kind, _ := r.ReadByte()
		for err == nil && (kind == evStacks || kind == evStrings) && r.Len() > rest {
			switch b, _ := r.ReadByte(); {
			case kind == evStacks && b == evStack:
				uint() // id
				var frames [][3]uint64
				for range min(uint(), 1000) {
					uint() // pc
					frames = append(frames, [3]uint64{uint(), uint(), uint()})
				}
				stacks[generation] = append(stacks[generation], frames)
			case kind == evStrings && b == evString:
				id := uint()
				text := make([]byte, min(uint(), uint64(r.Len())))
				_, _ = io.ReadFull(r, text)
				strs[key{generation, id}] = string(text)
			default:
				return errTrace
			}
		}
		_, _ = r.Seek(int64(-rest), io.SeekEnd)
	}
	for generation, list := range stacks {
		for _, st := range list {
			frames := make([]runtime.Frame, len(st))
			for i, f := range st {
				frames[i] = runtime.Frame{Function: strs[key{generation, f[0]}], File: strs[key{generation, f[1]}], Line: int(f[2])}
			}
			each(frames)
		}
	}
	return err
}
