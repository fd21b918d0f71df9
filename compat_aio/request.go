package aio

import (
	"errors"
	"os"
	"sync"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/unix"
)

// File is what a Request works on: an open file by descriptor or as an *os.File. Making one looks at the file once, so
// make it once and use it for many requests.
//
// A Request keeps an *os.File from being collected until it has completed. The kernel takes hold of the file when the
// request is submitted: it must be open until then, and may be closed from then on.
type File struct {
	fd     int
	file   *os.File
	made   bool // by FD or FileOf
	blocks bool // a transfer may have to wait, and would do so in io_submit
	err    error
}

// FD returns the File of an open descriptor.
func FD(fd int) File {
	f := File{fd: fd, made: true}
	f.blocks, f.err = mayBlock(fd)
	return f
}

// FileOf returns the File of f. It leaves f as it is, where f.Fd may make it blocking.
func FileOf(f *os.File) File {
	if f == nil {
		return File{err: invalid("a nil *os.File")}
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return File{err: err}
	}
	var file File
	if conn.Control(func(fd uintptr) { file = FD(int(fd)) }) != nil {
		return File{err: &os.PathError{Op: "aio", Path: f.Name(), Err: os.ErrClosed}} // There is no other reason.
	}
	file.file = f
	return file
}

// errBlocks is what a transfer gives that could block io_submit, and every other user of the Queue with it.
var errBlocks = errors.New("aio: neither a file nor in non-blocking mode: io_submit would wait for it")

// usable says why the file cannot be transferred to or from, or polled.
func (f File) usable(op opcode) error {
	switch {
	case f.err != nil:
		return f.err
	case !f.made:
		return invalid("a File that is neither FD's nor FileOf's")
	case f.blocks && op != opPoll && op != opFsync && op != opFdsync:
		return errors.Join(ErrInvalid, errBlocks)
	}
	return nil
}

// mayBlock reports whether a transfer could wait for another party. Disks are not meant.
func mayBlock(fd int) (bool, error) {
	var stat unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &stat) }); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return false, nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK == 0, os.NewSyscallError("fcntl", err)
}

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for tries := eintr.Tries(0); ; {
		if err := f(); err != unix.EINTR || !tries.Again() {
			return err
		}
	}
}

// State is where a Request is:
//
//	         Prepare             Submit               Wait, Poll, Close
//	idle ─────────────► prepared ──────► submitted ────────────────────► completed
//	                     ▲ ▲   │ refused for what it asks                 ▲   │
//	                     │ │   └──────────────────────────────────────────┘   │
//	                     │ └── Prepare again, or the kernel is out of room    │
//	                     └──────────────────────── Prepare ───────────────────┘
type State uint8

// The life of a Request, and who may touch what. Request.mu guards all of it; what differs is who may change it, and
// whose the buffers are:
//
//	idle, prepared, completed   whoever calls a method. The kernel knows nothing of it: the buffers are the caller's.
//	claimed                     prepared, and in a list that a Submit is handing over: for every other call it counts as
//	                            submitted. Only that Submit goes on: launch, or unclaim, or complete where it is refused.
//	submitted                   the IOCB, the buffers and the file are the kernel's. launch comes before io_submit(2), as
//	                            the event can be there before that returns. Prepare and Submit give ErrInProgress.
//	completed                   by complete, once, from who reads the event: Wait, Poll or Close; or from the Submit
//	                            whose io_submit(2) has refused it, and then there is no event.
//
// What can happen to one that is submitted: its event (completed by who reads it); io_cancel that answers EINPROGRESS
// or 0 (canceled is noted in the IOCB, the event still comes), or EINVAL (nothing changes: the event is there, or the
// kernel does not cancel such requests); the end of a context, of a deadline, or Wakeup (the wait ends, the Request
// stays); Close (polls are cancelled, all events waited for). What can happen to one that is claimed: EAGAIN, ENOMEM or
// EINTR of io_submit (prepared again), EPERM or ENOSYS (the same), any other errno (completed with it). No code of the
// user's runs in between. An IOCB is used again only when its event was read, or Release was called for one that the
// kernel has not taken.
//
// The states of a Request. Only Wait, Poll and Close turn submitted into completed, however long ago the kernel was
// done.
const (
	StateIdle State = iota
	StatePrepared
	StateSubmitted
	StateCompleted
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"idle", "prepared", "submitted", "completed"}[s&3]
}

// Request is one operation on a file: prepared, submitted to a Queue, returned by its Wait, and then good for another.
// The zero Request is idle. A Request must not be copied. All methods are safe for concurrent use, and a Request that
// is being submitted counts as submitted for all but State.
//
// Ownership: the buffers belong to the kernel from Submit until the Request is completed. The Request keeps them, and
// the *os.File, alive until then.
type Request struct {
	mu      sync.Mutex // guards what follows; Context.mu may be taken while it is held
	state   State
	claimed bool // by a Submit under way
	queue   *Queue
	id      ID // since it was submitted

	op     opcode
	file   File
	buf    []byte   // of Read and Write
	bufs   [][]byte // of Readv and Writev, with room to be used again
	offset int64
	events uint16
	user   any

	n   int
	err error
}

// PrepareRead prepares reading up to len(b) bytes from offset on into b, which may be empty. On sockets and pipes the
// offset is 0. user is anything that User shall return.
//
// All Prepare methods make of a Request in any state but StateSubmitted, for which they give ErrInProgress, a prepared
// one without a result. On any other error (ErrInvalid, or what was wrong with the File) the Request is left as it was.
func (r *Request) PrepareRead(f File, offset int64, b []byte, user any) error {
	return r.prepare(opPread, f, offset, b, nil, 0, user)
}

// PrepareWrite prepares writing b from offset on. A short count is no error.
func (r *Request) PrepareWrite(f File, offset int64, b []byte, user any) error {
	return r.prepare(opPwrite, f, offset, b, nil, 0, user)
}

// PrepareReadv prepares reading into at most 1024 buffers, one after the other. The outer slice is copied.
func (r *Request) PrepareReadv(f File, offset int64, bufs [][]byte, user any) error {
	return r.prepare(opPreadv, f, offset, nil, bufs, 0, user)
}

// PrepareWritev prepares writing at most 1024 buffers, one after the other. The outer slice is copied.
func (r *Request) PrepareWritev(f File, offset int64, bufs [][]byte, user any) error {
	return r.prepare(opPwritev, f, offset, nil, bufs, 0, user)
}

// PrepareFsync prepares an fsync(2). It covers what was completed before it was submitted, and not what is in flight
// with it. Since 4.18; the result is an *UnsupportedError before.
func (r *Request) PrepareFsync(f File, user any) error {
	return r.prepare(opFsync, f, 0, nil, nil, 0, user)
}

// PrepareFdsync prepares an fdatasync(2). See PrepareFsync.
func (r *Request) PrepareFdsync(f File, user any) error {
	return r.prepare(opFdsync, f, 0, nil, nil, 0, user)
}

// PreparePoll prepares one wait for any of events: unix.POLLIN, unix.POLLOUT and so on. The result's n is what is
// ready. Since 4.18; the result is an *UnsupportedError before.
func (r *Request) PreparePoll(f File, events uint16, user any) error {
	return r.prepare(opPoll, f, 0, nil, nil, events, user)
}

func (r *Request) prepare(
	op opcode, f File, offset int64, b []byte, bufs [][]byte, events uint16, user any,
) error {
	if err := f.usable(op); err != nil {
		return err
	}
	if err := checkTransfer(offset, b, bufs); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == StateSubmitted || r.claimed {
		return ErrInProgress
	}
	r.letGo()
	r.state, r.op, r.file = StatePrepared, op, f
	r.buf, r.bufs, r.offset, r.events = b, append(r.bufs[:0], bufs...), offset, events
	r.user, r.n, r.err = user, 0, nil
	return nil
}

// State returns where the Request is.
func (r *Request) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// User returns what the Request was prepared with, in any state.
func (r *Request) User() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.user
}

// Result returns how many bytes were transferred, or what a poll found ready, and the error, an *os.SyscallError
// around a unix.Errno where the kernel gave one. Reading at the end of a file gives 0 without an error. Until the
// Request is completed the error is ErrInProgress, or ErrNotSubmitted.
func (r *Request) Result() (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case StateCompleted:
		return r.n, r.err
	case StateSubmitted:
		return 0, ErrInProgress
	}
	return 0, ErrNotSubmitted
}

// Cancel asks the kernel to cancel a Request that was submitted. A nil error means that it will: the Request still has
// to be waited for, and has the result ErrCanceled. Linux cancels polls only: for what is already under way, such as
// all reads and writes, the error is ErrInProgress, and the Request completes as if nothing had been. ErrCompleted
// means that the kernel is done with it, whether or not it was waited for; without a mapped ring that is known after
// the wait only. Otherwise the error is ErrNotSubmitted.
func (r *Request) Cancel() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.state == StateSubmitted:
		err := r.queue.c.Cancel(r.id)
		if errors.Is(err, ErrClosed) {
			return ErrCompleted // The Queue's Close has drained it, and is about to complete it.
		}
		return err
	case r.claimed:
		return ErrInProgress
	case r.state == StateCompleted:
		return ErrCompleted
	}
	return ErrNotSubmitted
}

// claim reserves a prepared Request for one Submit.
func claim(r *Request) error {
	if r == nil {
		return invalid("a nil *Request")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.state == StateSubmitted || r.claimed:
		return ErrInProgress
	case r.state != StatePrepared:
		return ErrNotPrepared
	}
	r.claimed = true
	return nil
}

// unclaim leaves a Request prepared, which the kernel has not taken.
func (r *Request) unclaim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed, r.state, r.queue = false, StatePrepared, nil
}

// fill prepares the IOCB of a claimed Request.
func (r *Request) fill(cb *IOCB) (err error) {
	fd := r.file.fd
	switch r.op {
	case opPread:
		err = cb.PrepPread(fd, r.buf, r.offset)
	case opPwrite:
		err = cb.PrepPwrite(fd, r.buf, r.offset)
	case opPreadv:
		err = cb.PrepPreadv(fd, r.bufs, r.offset)
	case opPwritev:
		err = cb.PrepPwritev(fd, r.bufs, r.offset)
	case opFsync:
		err = cb.PrepFsync(fd)
	case opFdsync:
		err = cb.PrepFdsync(fd)
	case opPoll:
		err = cb.PrepPoll(fd, r.events)
	}
	if err != nil {
		return err
	}
	cb.SetData(r)
	return cb.Notify()
}

// launch turns a claimed Request into a submitted one, before the kernel can complete it.
func (r *Request) launch(q *Queue, id ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed, r.state, r.queue, r.id = false, StateSubmitted, q, id
}

// pollAlways is what poll(2) reports without being asked: POLLERR, POLLHUP and POLLNVAL.
const pollAlways = unix.POLLERR | unix.POLLHUP | unix.POLLNVAL

// complete ends the Request with its result.
func (r *Request) complete(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.op == opPoll {
		n &= int(r.events) | pollAlways // The kernel reports all that the wake-up was for, POLLPRI on any data.
	}
	r.letGo()
	r.claimed, r.state, r.queue, r.n, r.err = false, StateCompleted, nil, n, err
}

// letGo gives up the memory and the file.
func (r *Request) letGo() {
	clear(r.bufs)
	r.buf, r.bufs, r.file = nil, r.bufs[:0], File{}
}
