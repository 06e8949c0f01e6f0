package after

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Send hands a token to the server, if that is a process of the same user.
func Send(socket, token string) (err error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var perr error
	err = raw.Control(func(fd uintptr) { peer, perr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, perr); err != nil {
		return err
	}
	if peer.Uid != uint32(os.Getuid()) {
		return errors.New("another user listens at the socket")
	}
	_, err = c.Write([]byte(token))
	return err
}
