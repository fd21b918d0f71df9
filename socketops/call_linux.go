package socketops

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/race"
)

// nothing is where empty buffers point to: the kernel answers a null pointer with EFAULT (A15).
var nothing byte

// addressOf is the address of what p holds, which is not null.
func addressOf(p []byte) unsafe.Pointer {
	if q := unsafe.SliceData(p); q != nil {
		return unsafe.Pointer(q) // SAFETY: the slice's own memory.
	}
	return unsafe.Pointer(&nothing) // SAFETY: never written, as its length is 0.
}

// call makes the operation's system call once, without waiting, and returns its result or the negative errno. The
// descriptor is kept open by the operation's handle.
func (o *op) call() int {
	fd := o.handle.fd
	switch o.kind {
	case opRecv:
		if o.peek {
			return sysPeek(fd, o.flags)
		}
		return sysRecv(fd, o.msg.rest(), o.flags)
	case opRecvMsg:
		return sysRecvMsg(fd, &o.msg, o.flags)
	case opSend:
		return sysSend(fd, o.msg.rest(), o.flags)
	case opSendMsg:
		return sysSendMsg(fd, &o.msg, o.flags)
	case opSendFile:
		if o.packets != nil {
			return o.packets.call(fd, o)
		}
		return sysSendFile(fd, o)
	case opAccept:
		return sysAccept(fd, &o.msg)
	}
	return o.connect(fd)
}

func result(n uintptr, errno unix.Errno) int {
	if errno != 0 {
		return -int(errno)
	}
	return int(n)
}

// sysRecv wraps recv(2).
func sysRecv(fd int, p []byte, flags int) int {
	at := addressOf(p)
	// SAFETY: p is the caller's until the call returns.
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(at), uintptr(len(p)),
		uintptr(flags|unix.MSG_DONTWAIT), 0, 0)
	if race.Enabled && errno == 0 {
		received(at, min(int(n), len(p)))
	}
	return result(n, errno)
}

// sysPeek looks for something to receive and takes nothing (A29).
func sysPeek(fd, flags int) int {
	var b [1]byte
	return sysRecv(fd, b[:], flags|unix.MSG_PEEK)
}

// sysRecvMsg wraps recvmsg(2).
func sysRecvMsg(fd int, m *message, flags int) int {
	hdr := m.header()
	// SAFETY: the message keeps all that the header names until the call returns.
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(hdr)),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC))
	if errno == 0 {
		m.received()
	}
	if race.Enabled && errno == 0 {
		m.announceReceived(int(n))
	}
	return result(n, errno)
}

// sysSend wraps send(2).
func sysSend(fd int, p []byte, flags int) int {
	at := addressOf(p)
	if race.Enabled {
		sends(at, len(p))
	}
	// SAFETY: p is the caller's until the call returns.
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(at), uintptr(len(p)),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL), 0, 0)
	return result(n, errno)
}

// sysSendMsg wraps sendmsg(2).
func sysSendMsg(fd int, m *message, flags int) int {
	hdr := m.header()
	if race.Enabled {
		m.announceSent()
	}
	// SAFETY: as in sysRecvMsg.
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(hdr)),
		uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
	return result(n, errno)
}

// blocks reports whether a descriptor is in blocking mode. That belongs to the open file description, so another
// process or another descriptor of the socket, as that of an os.File whose Fd method was called, can have made it so.
func blocks(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0
}

// calm has the call that follows not wait: accept4, connect and sendfile cannot be told so by a flag, so the mode that
// this package promises for the descriptor is restored where somebody has changed it.
func calm(fd int) {
	if blocks(fd) {
		_ = unix.SetNonblock(fd, true)
	}
}

// sysAccept is accept4, for tests to have it fail.
var sysAccept = accept4

// accept4 wraps accept4(2). The new socket does not block, as all of this package's (N24).
func accept4(fd int, m *message) int {
	calm(fd)
	m.nameLen = MaxAddrLen
	size := uint32(m.nameLen)
	// SAFETY: the kernel writes at most size bytes of the name during the call.
	n, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&m.name)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0, 0)
	m.nameLen = int(size)
	return result(n, errno)
}

// connect begins the connection, or finds out how it has ended: connect(2) is not made twice (A.0).
func (o *op) connect(fd int) int {
	if !o.began {
		o.began = true
		if res, ok := o.connectEarly(fd); ok {
			return res
		}
		calm(fd)
		// SAFETY: the kernel reads the name during the call.
		_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&o.msg.name)),
			uintptr(o.msg.nameLen))
		return result(0, errno)
	}
	return finishConnect(fd)
}

// finishConnect returns 0 where the connection is made, -EINPROGRESS where it is not yet, or why it cannot be. SO_ERROR
// is 0 on a socket that never was asked to connect, so it is believed only once the socket is writable (A26).
func finishConnect(fd int) int {
	events, err := pollNow(fd, unix.POLLOUT)
	if err != nil {
		return -int(err.(unix.Errno))
	}
	if events == 0 {
		return -int(unix.EINPROGRESS)
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return -int(err.(unix.Errno))
	}
	return -errno
}

// pollNow returns which events are there.
func pollNow(fd int, events int16) (int16, error) {
	for tries := eintr.Tries(0); ; {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		switch _, err := unix.Poll(fds, 0); {
		case err == nil:
			return fds[0].Revents, nil
		case err == unix.EINTR && tries.Again():
		default:
			return 0, err
		}
	}
}

// transfers orders what was done before a send before what is done after a receive, for the race detector, as package
// syscall does: which receive belongs to which send it does not know.
var transfers byte

// received announces that the kernel has written n bytes at p.
func received(p unsafe.Pointer, n int) {
	race.WriteRange(p, n)
	race.Acquire(unsafe.Pointer(&transfers)) // SAFETY: an identity.
}

// sends announces that the kernel reads n bytes at p.
func sends(p unsafe.Pointer, n int) {
	race.ReleaseMerge(unsafe.Pointer(&transfers)) // SAFETY: an identity.
	race.ReadRange(p, n)
}

// announceReceived announces that the kernel has written n bytes to the buffers.
func (m *message) announceReceived(n int) {
	skip := m.skip
	for _, b := range m.bufs[m.first:] {
		b = b[skip:]
		skip = 0
		k := min(n, len(b))
		race.WriteRange(unsafe.Pointer(unsafe.SliceData(b)), k) // SAFETY: the slice's own memory.
		n -= k
	}
	race.Acquire(unsafe.Pointer(&transfers)) // SAFETY: an identity.
}

// announceSent announces that the kernel reads what is left to send.
func (m *message) announceSent() {
	race.ReleaseMerge(unsafe.Pointer(&transfers)) // SAFETY: an identity.
	skip := m.skip
	for _, b := range m.bufs[m.first:] {
		race.ReadRange(unsafe.Pointer(unsafe.SliceData(b[skip:])), len(b)-skip) // SAFETY: the slice's own memory.
		skip = 0
	}
}
