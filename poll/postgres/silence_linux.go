package postgres

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitSilence sets the time limit silence on a socket.
func limitSilence(_, _ string, connection syscall.RawConn) error {
	var fault error
	err := connection.Control(func(socket uintptr) {
		fault = unix.SetsockoptInt(int(socket), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	})
	return errors.Join(err, fault)
}
