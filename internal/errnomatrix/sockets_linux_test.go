package errnomatrix

import (
	"encoding/binary"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var socketRows = map[string]row{
	"recv on pipe":                     func(e *env) string { return e.recv(e.filledPipe(), 0) },
	"recv multishot w/o BUFFER_SELECT": func(e *env) string { return e.recv(e.filledSocket(), cring.RecvMultishot) },
	"recv ioprio unknown bit":          func(e *env) string { return e.recv(e.filledSocket(), 1<<15) },
	"recv from closed peer":            func(e *env) string { return e.recv(e.orphan(), 0) },

	"accept on non-listening socket": func(e *env) string { return e.accept(e.tcpSocket(), 0) },
	"accept bad flags":               func(e *env) string { return e.accept(e.listener(), 0xffff) },
	"accept on pipe":                 func(e *env) string { return e.accept(e.emptyPipe(), 0) },

	"connect addrlen=3": func(e *env) string {
		address, _ := e.refusing()
		return e.connect(address, 3)
	},
	"connect to closed port": func(e *env) string { return e.connect(e.refusing()) },

	"send to closed peer (no MSG_NOSIGNAL)": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpSend, Fd: int32(e.orphan()), Addr: e.page(), Len: 8})
	},
	"shutdown how=77": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpShutdown, Fd: int32(e.socket()), Len: 77})
	},
	"socket AF=9999": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpSocket, Fd: 9999, Off: unix.SOCK_STREAM})
	},
}

func (e *env) recv(fd int, ioprio uint16) string {
	e.Helper()
	return e.request(cring.SQE{Opcode: cring.OpRecv, Fd: int32(fd), IOPrio: ioprio, Addr: e.page(), Len: 8})
}

func (e *env) accept(fd int, flags uint32) string {
	e.Helper()
	return e.request(cring.SQE{Opcode: cring.OpAccept, Fd: int32(fd), OpFlags: flags})
}

// listener returns a TCP socket that listens, with nobody to accept.
func (e *env) listener() int {
	e.Helper()
	fd := e.tcpSocket()
	require.NoError(e, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(e, unix.Listen(fd, 1))
	return fd
}

// refusing returns an address that refuses connections, and its size: its port is bound, so that nobody else gets it,
// and nobody listens there.
func (e *env) refusing() (*unix.RawSockaddrInet4, uint64) {
	e.Helper()
	fd := e.tcpSocket()
	require.NoError(e, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, err := unix.Getsockname(fd)
	require.NoError(e, err)
	address := rawring.Alloc[unix.RawSockaddrInet4](e.mem)
	address.Family = unix.AF_INET
	address.Addr = [4]byte{127, 0, 0, 1}
	port := binary.BigEndian.AppendUint16(nil, uint16(bound.(*unix.SockaddrInet4).Port))
	address.Port = binary.NativeEndian.Uint16(port)
	return address, unix.SizeofSockaddrInet4
}

func (e *env) connect(address *unix.RawSockaddrInet4, size uint64) string {
	e.Helper()
	return e.request(cring.SQE{
		Opcode: cring.OpConnect, Fd: int32(e.tcpSocket()), Addr: rawring.Addr(address), Off: size,
	})
}

// zeroCopyRows need a socket that cannot send without copying: the kernel then has to say which fault comes first.
var zeroCopyRows = map[string]row{
	"send_zc unknown zc_flags": func(e *env) string { return e.sendZC(1<<15, 0) },
	"send_zc_fixed idx=5 none registered": func(e *env) string {
		return e.sendZC(cring.RecvSendFixedBuf, 5)
	},
	"send_zc on AF_UNIX": func(e *env) string { return e.sendZC(0, 0) },
}

func (e *env) sendZC(ioprio, buffer uint16) string {
	e.Helper()
	return e.request(cring.SQE{
		Opcode: cring.OpSendZC, Fd: int32(e.socket()), IOPrio: ioprio, BufIndex: buffer, Addr: e.page(), Len: 8,
	})
}
