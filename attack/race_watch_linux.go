package attack

import (
	"encoding/binary"
	"path"
	"slices"
	"strings"
	"time"

	"os"

	"golang.org/x/sys/unix"
)

// watcher notes the names that show below a directory, as any user can who may
// list it.
type watcher struct {
	disk  *osDisk
	fd    int
	file  *os.File
	dirs  map[int]string
	names []string // in the order in which they showed, each once
	made  []string // those of them that were directories
	over  chan struct{}
}

const watched = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW

// watch begins with what is there.
func watch(d *osDisk) (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &watcher{disk: d, fd: fd, file: os.NewFile(uintptr(fd), "inotify"), dirs: map[int]string{}, over: make(chan struct{})}
	w.add(dirShared)
	go func() {
		defer close(w.over)
		for buf := make([]byte, 1<<14); ; {
			n, err := w.file.Read(buf)
			if err != nil || n <= 0 {
				return
			}
			w.events(buf[:n])
		}
	}()
	return w, nil
}

// add watches a directory and all in it.
func (w *watcher) add(dir string) {
	wd, err := unix.InotifyAddWatch(w.fd, w.disk.abs(dir), watched)
	if err != nil {
		return // it is gone again, or closed to others
	}
	w.dirs[wd] = dir
	list, _ := w.disk.list(dir)
	slices.Sort(list)
	for _, e := range list {
		w.note(path.Join(dir, e), w.disk.stat(path.Join(dir, e)).isDir())
	}
}

func (w *watcher) note(name string, dir bool) {
	if slices.Contains(w.names, name) {
		return
	}
	w.names = append(w.names, name)
	if dir {
		w.made = append(w.made, name)
		w.add(name)
	}
}

func (w *watcher) events(buf []byte) {
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		mask := binary.NativeEndian.Uint32(buf[4:])
		size := int(binary.NativeEndian.Uint32(buf[12:]))
		end := min(unix.SizeofInotifyEvent+size, len(buf))
		name := strings.TrimRight(string(buf[unix.SizeofInotifyEvent:end]), "\x00")
		if dir, ok := w.dirs[wd]; ok && name != "" {
			w.note(path.Join(dir, name), mask&unix.IN_ISDIR != 0)
		}
		buf = buf[end:]
	}
}

// stop gives the names. What was done before is told by then: the kernel
// queues an event before the call that causes it returns.
func (w *watcher) stop() []string {
	_ = w.file.SetReadDeadline(time.Now())
	<-w.over
	for buf := make([]byte, 1<<14); ; {
		n, err := unix.Read(w.fd, buf)
		if err != nil || n <= 0 {
			break
		}
		w.events(buf[:n])
	}
	_ = w.file.Close()
	return w.names
}
