package socketops

import (
	"unsafe"

	"golang.org/x/sys/unix"

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

// sysAccept wraps accept4(2). The new socket does not block, as all of this package's (N24).
func sysAccept(fd int, m *message) int {
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
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		switch _, err := unix.Poll(fds, 0); err {
		case nil:
			return fds[0].Revents, nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}
