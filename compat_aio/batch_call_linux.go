package aio

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
)

// callMover attempts each transfer by a system call of its own.
type callMover struct {
	window  int
	scratch [][]byte
	iov     []unix.Iovec
	hdr     unix.Msghdr
}

func newCallMover(slots int) *callMover {
	return &callMover{window: slots, scratch: make([][]byte, 0, vectorsMax), iov: make([]unix.Iovec, vectorsMax)}
}

func (m *callMover) slots() int { return m.window }

func (m *callMover) close() error { return nil }

func (m *callMover) move(window []*task) (int, error) {
	for _, t := range window {
		pieces := t.pieces(&m.scratch)
		t.res = m.call(t, pieces)
		clear(m.scratch)
		clear(m.iov[:len(pieces)])
	}
	return len(window), nil
}

// call makes the system call and returns its result as an event has it.
func (m *callMover) call(t *task, pieces [][]byte) int64 {
	for i, p := range pieces {
		m.iov[i].Base = unsafe.SliceData(p)
		m.iov[i].SetLen(len(p))
	}
	m.hdr.Iov = unsafe.SliceData(m.iov)
	m.hdr.SetIovlen(len(pieces))
	trap, flags := uintptr(unix.SYS_SENDMSG), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL
	t.call = "sendmsg"
	if t.dir == receiving {
		trap, flags, t.call = unix.SYS_RECVMSG, unix.MSG_DONTWAIT, "recvmsg"
	}
	announce(pieces, t.dir)
	// SAFETY: the header is kept by m, and keeps the vector, which keeps the buffers, for as long as the call takes.
	n, _, errno := unix.Syscall(trap, uintptr(t.socket.fd), uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
	if errno != 0 {
		return -int64(errno)
	}
	return int64(n)
}

// announce tells the race detector what the kernel does with the buffers.
func announce(pieces [][]byte, dir direction) {
	if !race.Enabled {
		return
	}
	for _, p := range pieces {
		first := unsafe.Pointer(unsafe.SliceData(p)) // SAFETY: only named.
		if dir == receiving {
			race.WriteRange(first, len(p))
		} else {
			race.ReadRange(first, len(p))
		}
	}
}

// probePair returns two connected sockets for trying something.
func probePair() ([2]int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return fds, os.NewSyscallError("socketpair", err)
}
