//go:build linux

package load

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// iovMax is the kernel's limit of one writev(2): UIO_MAXIOV.
const iovMax = 1024

// writev sends each batch by one writev(2) on a non-blocking socket, and waits by one ppoll(2) for all
// sockets that were full. The calls are raw: no hand-over of the processor to Go's scheduler, which makes
// this the cheapest way that Go has to send a batch by system calls.
type writev struct {
	*arena
	fds   sockets
	conns []writevConn
	call  func(*writevConn) (int, unix.Errno)
	full  []*writevConn // conns that wait for room
	polls []unix.PollFd // and what to wait for
	calls uint64
}

// writevConn is one connection and how much of its batch has left.
type writevConn struct {
	index int
	fd    int
	iov   []unix.Iovec
	sent  int // bytes
	batch int // bytes
}

func openWritev(job proto.Job) (batcher, error) {
	w, err := newWritev(job)
	if err != nil {
		return nil, err
	}
	w.call = w.callRaw
	return w, nil
}

func newWritev(job proto.Job) (*writev, error) {
	a, fds, err := arenaAndSockets(job)
	if err != nil {
		return nil, err
	}
	w := &writev{arena: a, fds: fds, conns: make([]writevConn, len(fds))}
	for i, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			w.close()
			return nil, os.NewSyscallError("fcntl", err)
		}
		c := &w.conns[i]
		c.index, c.fd, c.batch = i, fd, job.Msgs*job.Size
		c.iov = make([]unix.Iovec, job.Msgs)
		for slot := range c.iov {
			c.iov[slot].Base = &a.msg(i, slot)[0]
			c.iov[slot].SetLen(job.Size)
		}
	}
	return w, nil
}

func (w *writev) close() {
	w.fds.close()
	w.arena.close()
}

func (w *writev) syscalls() uint64 {
	return w.calls
}

func (w *writev) pass() error {
	w.full = w.full[:0]
	for i := range w.conns {
		c := &w.conns[i]
		c.sent = 0
		if err := w.send(c); err != nil {
			return err
		}
		if c.sent < c.batch {
			w.full = append(w.full, c)
		}
	}
	for len(w.full) > 0 {
		if err := w.sendFull(); err != nil {
			return err
		}
	}
	return nil
}

// send writes the unsent rest of the connection's batch until the socket is full.
func (w *writev) send(c *writevConn) error {
	for c.sent < c.batch {
		n, errno := w.call(c)
		switch errno {
		case 0:
			c.sent += n
		case unix.EAGAIN:
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError("writev", errno)
		}
	}
	return nil
}

// callRaw makes one writev(2) from the first unsent byte on.
func (w *writev) callRaw(c *writevConn) (int, unix.Errno) {
	slot, skip := c.sent/w.job.Size, c.sent%w.job.Size
	iov := c.iov[slot:min(slot+iovMax, len(c.iov))]
	if skip == 0 {
		return w.writev(c.fd, iov)
	}
	whole := iov[0]
	// SAFETY: skip is less than the length of the message that Base points to, so the sum stays in it.
	iov[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(whole.Base), skip))
	iov[0].SetLen(w.job.Size - skip)
	n, errno := w.writev(c.fd, iov)
	iov[0] = whole
	return n, errno
}

func (w *writev) writev(fd int, iov []unix.Iovec) (int, unix.Errno) {
	w.calls++
	// SAFETY: the argument keeps iov alive during the call, the arena outlives it, and the kernel only reads.
	n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])),
		uintptr(len(iov)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sendFull waits until one of the full sockets has room, sends on those that have, and drops from full
// those whose batch has left.
func (w *writev) sendFull() error {
	w.polls = w.polls[:0]
	for _, c := range w.full {
		w.polls = append(w.polls, unix.PollFd{Fd: int32(c.fd), Events: unix.POLLOUT})
	}
	w.calls++
	// SAFETY: the argument keeps polls alive during the call, and the kernel writes only their Revents.
	_, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.polls[0])),
		uintptr(len(w.polls)), 0, 0, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return os.NewSyscallError("ppoll", errno)
	}
	still := w.full[:0]
	for i, c := range w.full {
		if w.polls[i].Revents != 0 {
			if err := w.send(c); err != nil {
				return err
			}
		}
		if c.sent < c.batch {
			still = append(still, c)
		}
	}
	w.full = still
	return nil
}
