package http

import (
	"context"
	"net"
	"net/http"
	"syscall"
)

// connectionKey is where a request's context has the connection that it came on.
type connectionKey struct{}

// WithConnection adds the connection of a request to its context. It is for http.Server's ConnContext. Without it every voter
// counts as still connected.
func WithConnection(ctx context.Context, connection net.Conn) context.Context {
	if raw, ok := connection.(syscall.Conn); ok {
		if socket, err := raw.SyscallConn(); err == nil {
			return context.WithValue(ctx, connectionKey{}, socket)
		}
	}
	return ctx
}

// hungUp reports whether the client of the request has closed its connection, as far as this machine knows.
//
// The server itself finds that out only some time after the whole request was read: too late for a request that was in the
// socket while this process was stopped.
func hungUp(r *http.Request) bool {
	socket, ok := r.Context().Value(connectionKey{}).(syscall.RawConn)
	if !ok {
		return false
	}
	gone := false
	var peeked [1]byte
	// Control, not Read: the server may be waiting in a read of its own.
	err := socket.Control(func(descriptor uintptr) {
		n, _, err := syscall.Recvfrom(int(descriptor), peeked[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = err == nil && n == 0 || err == syscall.ECONNRESET || err == syscall.EPIPE
	})
	return err != nil || gone
}
