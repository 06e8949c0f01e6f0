package attack_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/tmpproof/tmpproof/attack"
	"golang.org/x/sys/unix"
)

// intoFile does something to a file that is there, opened for reading and
// writing.
func intoFile(f func(file *os.File) error) attack.Victim {
	return on(func(p string) error {
		file, err := os.OpenFile(p, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		fi, err := file.Stat()
		if err != nil || !fi.Mode().IsRegular() {
			return err
		}
		return f(file)
	})
}

func writeString(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

var zeroes = string(make([]byte, 6))

// writtenTests are about what is written to the attacker's file, and is not
// there in the end.
var writtenTests = []conditionTest{
	{"written, and wiped", intoFile(func(f *os.File) error { return errors.Join(writeString(f, "secret"), writeString(f, zeroes)) }), with(marked), []string{"X10 6 bytes were written to the attacker's file, and taken back"}},
	{"written, and cut", intoFile(func(f *os.File) error { return errors.Join(writeString(f, "secret"), f.Truncate(0)) }), with(marked), []string{"X10 6 bytes were written to the attacker's file, and taken back"}},
	{"written by writev, and cut", intoFile(func(f *os.File) error {
		_, err := unix.Writev(int(f.Fd()), [][]byte{[]byte("sec"), []byte("ret")})
		return errors.Join(err, f.Truncate(0))
	}), with(marked), []string{"X10 6 bytes were written to the attacker's file, and taken back"}},
	{"copied, and cut", intoFile(func(f *os.File) error {
		m, err := unix.MemfdCreate("secret", unix.MFD_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(m)
		_, err = unix.Write(m, []byte("secret"))
		zero := int64(0)
		_, err2 := unix.Sendfile(int(f.Fd()), m, &zero, 6)
		return errors.Join(err, err2, f.Truncate(0))
	}), with(marked), []string{"X10 content was written to the attacker's file, and taken back"}},
	{"written, and put back", intoFile(func(f *os.File) error {
		old, err := io.ReadAll(f)
		return errors.Join(err, writeString(f, "secret"), writeString(f, string(old)))
	}), with(marked), []string{"X10 6 bytes were written to the attacker's file, and taken back"}},
	{"written, and removed", on(func(p string) error {
		return errors.Join(write(p, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0, "secret"), os.Remove(p))
	}), with(marked), []string{"X10 were written to the attacker's file"}},
	{"removed, and then written", on(func(p string) error {
		f, err := os.OpenFile(p, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return errors.Join(os.Remove(p), writeString(f, "secret"), f.Close())
	}), with(marked), []string{"X10 6 bytes were written to the attacker's file, and taken back"}},
	{"written by a program, and cut", on(func(p string) error {
		return exec.Command("sh", "-c", `[ -f "$1" ] || exit 0; printf secret >"$1"; : >"$1"`, "sh", p).Run()
	}), with(marked), []string{"X10 bytes were written to the attacker's file, and taken back"}},

	{"cut, and no more", intoFile(func(f *os.File) error { return f.Truncate(0) }), with(marked), nil},
	{"cut when it is opened", on(func(p string) error { return openAndClose(p, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK) }), with(marked), nil},
	{"zeros alone", intoFile(func(f *os.File) error { return errors.Join(writeString(f, zeroes), f.Truncate(0)) }), with(marked), nil},
	{"its own content, read and written again", intoFile(func(f *os.File) error {
		old, err := io.ReadAll(f)
		return errors.Join(err, writeString(f, string(old)))
	}), with(marked), []string{"X03 the attacker's content was read"}},
	{"nothing is written", intoFile(func(f *os.File) error { return writeString(f, "") }), with(marked), nil},
}

func TestWritten(t *testing.T) { testConditions(t, writtenTests) }

// intoFIFO writes to what is there when it is a FIFO.
func intoFIFO(flags int, data string) attack.Victim {
	return on(func(p string) error {
		fi, err := os.Lstat(p)
		if err != nil || fi.Mode().Type() != os.ModeNamedPipe {
			return err
		}
		return write(p, os.O_WRONLY|flags, 0, data)
	})
}

var fifos, unixSockets = attack.Moves(attack.FIFO), attack.Moves(attack.Socket)

// pipedTests are about FIFOs and sockets that the attacker reads.
var pipedTests = []conditionTest{
	{"into a FIFO", intoFIFO(0, "secret"), with(fifos), []string{"X07 it waits at the attacker's FIFO", "X10 6 bytes were written to the attacker's FIFO"}},
	{"into a FIFO, without waiting", intoFIFO(unix.O_NONBLOCK, "secret"), with(fifos), []string{"X10 6 bytes were written to the attacker's FIFO"}},
	{"more into a FIFO than it holds", intoFIFO(0, megabytes("end")), with(fifos), []string{"X07 it waits at the attacker's FIFO", "X10 bytes were written to the attacker's FIFO"}},
	{"into a FIFO, where a file was written to", on(func(p string) error {
		return errors.Join(write(p, os.O_WRONLY|unix.O_NONBLOCK, 0, "secret"), os.Remove(p))
	}), with(attack.Moves(attack.File, attack.FIFO)), []string{"X10 35 bytes were written to the attacker's file"}},
	{"a FIFO that is only opened", intoFIFO(unix.O_NONBLOCK, ""), with(fifos), nil},

	{"to a socket", dials("unix", func(c net.Conn) error {
		_, err := c.Write([]byte("secret"))
		return err
	}), with(unixSockets), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"from a socket", dials("unix", func(c net.Conn) error {
		_, err := io.ReadAll(c)
		return err
	}), with(unixSockets), []string{"X03 what the attacker answered at his socket was read"}},
	{"from a socket, and an error", dials("unix", func(c net.Conn) error {
		_, err := io.ReadAll(c)
		return errors.Join(err, errors.New("no"))
	}), with(unixSockets), nil},
	{"to a socket in the place of another one", dials("unix", func(c net.Conn) error {
		_, err := c.Write([]byte("secret"))
		return err
	}), with(unixSockets, attack.Unsticky(), attack.Setup(bindSocket)), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"to a socket that nobody may replace", dials("unix", func(c net.Conn) error {
		_, err := c.Write([]byte("secret"))
		return err
	}), with(unixSockets, attack.Setup(bindSocket)), nil},
	{"into a FIFO in the place of another one", intoFIFO(unix.O_NONBLOCK, "secret"), with(fifos, attack.Unsticky(), attack.Setup(func(s *attack.Scene) error {
		return unix.Mkfifo(s.Path("x"), 0o600)
	})), []string{"X10 6 bytes were written to the attacker's FIFO"}},
	{"to a socket of packets", dials("unixpacket", func(c net.Conn) error {
		_, err := c.Write([]byte("secret"))
		return err
	}), with(unixSockets), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"a datagram", dials("unixgram", func(c net.Conn) error {
		_, err := c.Write([]byte("secret"))
		return err
	}), with(unixSockets), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"a datagram by name", datagram(func(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, []byte("secret"), 0, to) }), with(unixSockets), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"a message by name", datagram(func(fd int, to unix.Sockaddr) error { return unix.Sendmsg(fd, []byte("secret"), nil, to, 0) }), with(unixSockets), []string{"X10 6 bytes were sent to the attacker's socket"}},
	{"a socket that is only reached", dials("unix", func(net.Conn) error { return nil }), with(unixSockets), nil},
	{"a socket whose other end is asked for", dials("unix", func(c net.Conn) error {
		raw, err := c.(*net.UnixConn).SyscallConn()
		if err != nil {
			return err
		}
		var cred *unix.Ucred
		err2 := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if int(cred.Uid) != os.Getuid() {
			return errors.New("somebody else listens")
		}
		_, err = c.Write([]byte("secret"))
		return err
	}), with(unixSockets), nil},
}

func dials(network string, f func(c net.Conn) error) attack.Victim {
	return on(func(p string) error {
		c, err := net.Dial(network, p)
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(f(c), c.Close())
	})
}

// bindSocket makes a socket at which nobody listens any more.
func bindSocket(s *attack.Scene) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.Path("x"), Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

func datagram(send func(fd int, to unix.Sockaddr) error) attack.Victim {
	return on(func(p string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = send(fd, &unix.SockaddrUnix{Name: p})
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
			err = nil
		}
		return errors.Join(err, unix.Close(fd))
	})
}

func TestPiped(t *testing.T) { testConditions(t, pipedTests) }

var wholeFile = &unix.Flock_t{Type: unix.F_WRLCK}

// lockTests are about locks of a file that is there.
var lockTests = []conditionTest{
	{"flock", intoFile(func(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) }), with(marked), []string{"X07 it waits for the lock of the attacker's shared/x, which he holds"}},
	{"flock of a directory", ifDir(func(p string) error {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_SH), f.Close())
	}), with(attack.Moves(attack.Dir)), []string{"X07 it waits for the lock of the attacker's shared/x, which he holds"}},
	{"fcntl", intoFile(func(f *os.File) error { return unix.FcntlFlock(f.Fd(), unix.F_SETLKW, wholeFile) }), with(marked), []string{"X07 it waits for the lock of the attacker's shared/x, which he holds"}},
	{"fcntl, of the open file", intoFile(func(f *os.File) error { return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, wholeFile) }), with(marked), []string{"X07 it waits for the lock of the attacker's shared/x, which he holds"}},
	{"in a goroutine", intoFile(func(f *os.File) error {
		return together(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) })
	}), with(marked, attack.Budget(10*time.Second)), []string{"X07 it waits for the lock of the attacker's shared/x, which he holds"}},

	{"flock, without waiting", intoFile(func(f *os.File) error {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		return errors.New("it is locked")
	}), with(marked), nil},
	{"fcntl, without waiting", intoFile(func(f *os.File) error { return unix.FcntlFlock(f.Fd(), unix.F_SETLK, wholeFile) }), with(marked), nil},
	{"a lock that is given up", intoFile(func(f *os.File) error {
		return unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_UNLCK})
	}), with(marked), nil},
	{"for some time", intoFile(func(f *os.File) error {
		got := make(chan error, 1)
		go func() { got <- unix.Flock(int(f.Fd()), unix.LOCK_EX) }()
		select {
		case err := <-got:
			return err
		case <-time.After(200 * time.Millisecond):
			return errors.New("it is locked")
		}
	}), with(marked), nil},
	{"a program, for some time", intoFile(func(f *os.File) error {
		return exec.Command("flock", "-w", "0.3", f.Name(), "true").Run()
	}), with(marked), nil},
	{"the lock of its own file", func(s *attack.Scene) error {
		f, err := os.CreateTemp(s.Dir, "own-")
		if err != nil {
			return err
		}
		there(s, "marker")
		return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_EX), os.Remove(f.Name()), f.Close())
	}, with(marked), nil},
}

func TestLocks(t *testing.T) { testConditions(t, lockTests) }
