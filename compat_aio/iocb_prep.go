package aio

import (
	"math"
	"unsafe"
)

// PrepPread prepares IOCB_CMD_PREAD, as pread(2): up to len(b) bytes of fd from offset on into b, which the kernel
// writes until the event. For sockets and pipes offset is 0. The kernel takes at most 0x7ffff000 bytes at once.
func (cb *IOCB) PrepPread(fd int, b []byte, offset int64) error {
	return cb.prepTransfer(opPread, fd, b, offset, kernelWrites)
}

// PrepPwrite prepares IOCB_CMD_PWRITE, as pwrite(2): up to len(b) bytes of b to fd from offset on. The kernel reads b
// until the event. A peer that has closed its end of a socket or pipe costs a SIGPIPE, which Go programs ignore unless
// fd is 1 or 2.
func (cb *IOCB) PrepPwrite(fd int, b []byte, offset int64) error {
	return cb.prepTransfer(opPwrite, fd, b, offset, kernelReads)
}

// PrepPreadv prepares IOCB_CMD_PREADV, as preadv(2), with at most 1024 buffers. The slice itself is copied.
func (cb *IOCB) PrepPreadv(fd int, bufs [][]byte, offset int64) error {
	return cb.prepVector(opPreadv, fd, bufs, offset, kernelWrites)
}

// PrepPwritev prepares IOCB_CMD_PWRITEV, as pwritev(2), with at most 1024 buffers. The slice itself is copied.
func (cb *IOCB) PrepPwritev(fd int, bufs [][]byte, offset int64) error {
	return cb.prepVector(opPwritev, fd, bufs, offset, kernelReads)
}

// PrepFsync prepares IOCB_CMD_FSYNC, as fsync(2). It is not ordered behind writes that are in flight. Since 4.18;
// without it, and on what has no fsync, the submission gives EINVAL.
func (cb *IOCB) PrepFsync(fd int) error { return cb.begin(opFsync, fd) }

// PrepFdsync prepares IOCB_CMD_FDSYNC, as fdatasync(2). See PrepFsync.
func (cb *IOCB) PrepFdsync(fd int) error { return cb.begin(opFdsync, fd) }

// PrepPoll prepares IOCB_CMD_POLL: one wait for any of events (unix.POLLIN, unix.POLLOUT, ...) on fd. The result is
// what is ready. Since 4.18; without it the submission gives EINVAL.
func (cb *IOCB) PrepPoll(fd int, events uint16) error {
	if err := cb.begin(opPoll, fd); err != nil {
		return err
	}
	cb.raw.buf = uint64(events)
	return nil
}

// Notify has the completion counted by the context's eventfd, for which Context.Await waits. It comes after the Prep
// method.
func (cb *IOCB) Notify() error {
	if err := cb.prepared(); err != nil {
		return err
	}
	cb.notify = true
	cb.raw.flags |= flagResfd
	cb.raw.resfd = uint32(cb.ctx.notifier.fd)
	return nil
}

// SetRWFlags sets RWF_* flags of <linux/fs.h> for a transfer (4.13). The kernel answers flags that it does not know, or
// that the file cannot do, with EOPNOTSUPP at the submission. It comes after the Prep method.
func (cb *IOCB) SetRWFlags(flags uint32) error {
	if err := cb.prepared(); err != nil {
		return err
	}
	if cb.op == opFsync || cb.op == opFdsync || cb.op == opPoll {
		return invalid("RWF flags for %v", cb.op)
	}
	*cb.raw.rwFlags() = flags
	return nil
}

// SetIOPrio sets the I/O priority of a transfer, as ioprio_set(2) encodes it (4.18). It comes after the Prep method.
func (cb *IOCB) SetIOPrio(priority uint16) error {
	if err := cb.prepared(); err != nil {
		return err
	}
	cb.raw.flags |= flagIOPrio
	cb.raw.reqprio = int16(priority)
	return nil
}

// Release gives back an IOCB that Submit has not accepted.
func (cb *IOCB) Release() error {
	c := cb.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	if cb.state != iocbHeld && cb.state != iocbPrepared {
		return cb.notYours()
	}
	cb.clear()
	c.free = append(c.free, cb.index)
	return nil
}

func (cb *IOCB) prepared() error {
	switch cb.state {
	case iocbPrepared:
		return nil
	case iocbHeld:
		return ErrNotPrepared
	}
	return cb.notYours()
}

func (cb *IOCB) notYours() error {
	if cb.state == iocbInFlight {
		return ErrInProgress
	}
	return invalid("an IOCB that was given back")
}

// begin fills what all requests have. An IOCB may be prepared again; then the last preparation counts.
func (cb *IOCB) begin(op opcode, fd int) error {
	switch {
	case cb.state != iocbHeld && cb.state != iocbPrepared:
		return cb.notYours()
	case fd < 0 || fd > math.MaxInt32:
		return invalid("descriptor %d", fd)
	}
	cb.unpin()
	cb.state, cb.op, cb.notify = iocbPrepared, op, false
	*cb.raw = rawIOCB{data: uint64(cb.ID()), opcode: op, fd: uint32(fd)}
	return nil
}

// checkTransfer refuses what the kernel would refuse, or take for something else.
func checkTransfer(offset int64, b []byte, bufs [][]byte) error {
	if len(bufs) > vectorsMax {
		return invalid("%d buffers, more than %d", len(bufs), vectorsMax)
	}
	total := uint64(len(b))
	for _, buf := range bufs {
		if total += uint64(len(buf)); total > math.MaxInt64 {
			return invalid("buffers of more than 2^63 bytes")
		}
	}
	if offset < 0 || total > uint64(math.MaxInt64-offset) {
		return invalid("%d bytes at offset %d", total, offset)
	}
	return nil
}

func (cb *IOCB) prepTransfer(op opcode, fd int, b []byte, offset int64, a access) error {
	if err := checkTransfer(offset, b, nil); err != nil {
		return err
	}
	if err := cb.begin(op, fd); err != nil {
		return err
	}
	// SAFETY: the buffer is pinned until the event, which keeps the address what it is.
	p := unsafe.Pointer(unsafe.SliceData(b))
	cb.pin(p, len(b), a)
	cb.raw.buf, cb.raw.nbytes, cb.raw.offset = uint64(uintptr(p)), uint64(len(b)), offset
	return nil
}

func (cb *IOCB) prepVector(op opcode, fd int, bufs [][]byte, offset int64, a access) error {
	if err := checkTransfer(offset, nil, bufs); err != nil {
		return err
	}
	if err := cb.begin(op, fd); err != nil {
		return err
	}
	if err := cb.growVectors(len(bufs)); err != nil {
		cb.state = iocbHeld
		return err
	}
	for i, b := range bufs {
		// SAFETY: as in prepTransfer. The vector itself is mapped memory.
		p := unsafe.Pointer(unsafe.SliceData(b))
		cb.pin(p, len(b), a)
		cb.vectors[i] = iovec{base: uintptr(p), len: uintptr(len(b))}
	}
	cb.raw.buf = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(cb.vectors))))
	cb.raw.nbytes, cb.raw.offset = uint64(len(bufs)), offset
	return nil
}

// growVectors makes room for n buffers. The IOCB keeps the room for later requests.
func (cb *IOCB) growVectors(n int) error {
	if n <= len(cb.vectors) {
		return nil
	}
	c := cb.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	vectors, err := alloc[iovec](&c.arena, vectorsMax)
	if err == nil {
		cb.vectors = vectors
	}
	return err
}
