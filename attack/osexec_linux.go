package attack

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"

	kernel "github.com/tmpproof/tmpproof/internal/lookup"
	"github.com/tmpproof/tmpproof/internal/supervise"
	"golang.org/x/sys/unix"
)

// execve(2) looks up more names than its path: that of the interpreter of a
// script, as often as that is a script itself, and that of a program's loader.
// No call of their own opens them.

// maxScripts is how many interpreters a script can lead to (exec_binprm in
// fs/exec.c).
const maxScripts = 5

// interpreters are the lookups of what runs a program that is named by a path.
func (w *walker) interpreters(p supervise.Path) (all []lookup) {
	loader := false
	for range maxScripts + 1 {
		head := w.head(p)
		name := scriptInterpreter(head)
		if name == "" {
			name, loader = loaderOf(head), true
		}
		if name == "" {
			break
		}
		p = supervise.Path{Raw: name, Dir: unix.AT_FDCWD, Follow: true}
		if l := w.lookup(p, 0); len(l.steps) > 0 {
			l.loader = loader
			all = append(all, l)
		}
		if loader {
			break
		}
	}
	return all
}

// head is the beginning of a program, nil where there is none that can be run.
func (w *walker) head(p supervise.Path) []byte {
	var at kernel.Place
	if p.Null {
		at, _ = kernel.Descriptor(w.tid, p.Dir)
	} else {
		k := kernel.Walk{PID: w.pid, TID: w.tid}
		r := k.Resolve(kernel.Path{Raw: p.Raw, Dir: p.Dir, Follow: p.Follow})
		at = r.End
		r.Dir.Close()
	}
	defer at.Close()
	if at.FD() < 0 || !at.Regular() || at.Mode&0o111 == 0 {
		return nil
	}
	return w.disk.peek(idOf(&at.Object), "/proc/self/fd/"+itoa(at.FD()))
}

// peek reads the beginning of a file, and leaves no trace of it.
func (d *osDisk) peek(o id, link string) []byte {
	fd, err := unix.Open(link, unix.O_RDONLY|unix.O_NOATIME|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == unix.EPERM { // not the owner's, and without the capability
		fd, err = unix.Open(link, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	before := d.touched(o)
	buf := make([]byte, 4096)
	n, _ := unix.Pread(fd, buf, 0)
	d.setTouched(o, before)
	d.fresh = false
	return buf[:max(n, 0)]
}

// scriptInterpreter is what a script's first line names, as load_script of
// fs/binfmt_script.c reads it; "" for none.
func scriptInterpreter(head []byte) string {
	const size = 256 // BINPRM_BUF_SIZE; what is not there is zeros
	if !bytes.HasPrefix(head, []byte("#!")) {
		return ""
	}
	buf := make([]byte, size)
	copy(buf, head)
	const blank = " \t"
	line, _, ended := bytes.Cut(buf[2:], []byte("\n"))
	if !ended {
		if name := bytes.TrimLeft(buf[2:], blank); !bytes.ContainsAny(name, blank+"\x00") {
			return "" // it may be cut off
		}
		line = buf[2 : size-1]
	}
	name := bytes.TrimLeft(line, blank)
	if i := bytes.IndexAny(name, blank+"\x00"); i >= 0 {
		name = name[:i]
	}
	return string(name)
}

// loaderOf is the PT_INTERP of a program, "" for none.
func loaderOf(head []byte) string {
	if len(head) < 64 || string(head[:4]) != elf.ELFMAG || head[elf.EI_CLASS] != byte(elf.ELFCLASS64) {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		order = binary.BigEndian
	}
	at, size, count := order.Uint64(head[32:]), uint64(order.Uint16(head[54:])), uint64(order.Uint16(head[56:]))
	for i := range count {
		from := at + i*size
		if size < 56 || from > uint64(len(head)) || from+56 > uint64(len(head)) {
			return ""
		}
		if h := head[from:]; elf.ProgType(order.Uint32(h)) == elf.PT_INTERP {
			off, n := order.Uint64(h[8:]), order.Uint64(h[32:])
			if off > uint64(len(head)) || n > uint64(len(head))-off {
				return ""
			}
			name, _, _ := strings.Cut(string(head[off:off+n]), "\x00")
			return name
		}
	}
	return ""
}
