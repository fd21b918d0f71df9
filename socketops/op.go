//go:build linux

package socketops

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// op is one operation of a lane: what it is to do, how far it has come, and who is told when it is over.
//
// Until it is queued it belongs to the goroutine that made it; from then on lane.mu guards it, except that the engine
// has the memory that it names while the state is opInFlight, unless it is parked. When it is over it belongs to whom
// it was handed out.
type op struct {
	kind  opKind
	flags int // MSG_ flags of the kernel

	socket  *Socket // which is not forgotten while it waits
	handle  *handle // which it keeps open
	lane    *lane
	driver  driver
	next    *op
	state   opState
	reason  error // why it was cancelled, or nil
	parked  bool  // its goroutine has the seat of the lane
	evicted bool  // the runtime's poller does not serve it
	tried   bool  // it was attempted, and has to wait
	whole   bool  // it is over when all has been transferred, and not before
	once    bool  // it is over when it would have to wait
	short   bool  // a part was transferred, and more was to follow
	peek    bool  // a receive takes nothing: it is over when there is something to receive

	complete bool // a receive of a part of a message fails

	msg    message // what a transfer is about
	fileFD int     // what opSendFile sends from
	off    int64   // in the file
	left   int64   // bytes of the file
	copied []byte  // room for what is read and sent where sendfile(2) does not serve, or nil

	packets *packets // what opSendFile sends one after the other, or nil
	argued  bool     // err is about what was to be sent, and not about the socket

	began bool   // connect(2) was called
	early []byte // what is to go with the connection request, or nil
	gone  int    // how much of early went

	polling bool   // the request in flight only waits for the socket
	ticket  uint64 // by which the driver of a ring knows the operation; 0 where the ring has nothing to do with it
	request uint64 // by which the kernel knows its request
	riding  int    // its buffers that a Sender has, where it leaves together with others

	n         int // bytes transferred, or the descriptor that was accepted
	succeeded bool
	err       error // why not, or nil

	pause    time.Duration // until the next attempt, where no event tells when that can succeed
	lull     time.Duration // the last pause that was for what a poll goes on to tell and no attempt can: an error queue
	reminder *time.Timer   // of its end, on engines that wait for readiness

	bounds   bounds             // of a plain form
	ready    chan struct{}      // told when a plain form has its turn, and when it is over
	look     func(uintptr) bool // looks of a plain form
	callback func(*op)          // called when a Go form is over; the operation is nobody else's then
	timer    *time.Timer        // of a Go form
}

// opKind is what an operation does.
type opKind uint8

const (
	opRecv     opKind = iota // recv(2)
	opRecvMsg                // recvmsg(2)
	opSend                   // send(2)
	opSendMsg                // sendmsg(2)
	opSendFile               // sendfile(2)
	opAccept                 // accept4(2)
	opConnect                // connect(2)
)

var opNames = [...]string{"recv", "recvmsg", "send", "sendmsg", "sendfile", "accept4", "connect"}

func (k opKind) String() string { return opNames[k] }

func (k opKind) direction() direction {
	switch k {
	case opRecv, opRecvMsg, opAccept:
		return receiving
	}
	return sending
}

// opState is where an operation is.
type opState uint8

const (
	opNew      opState = iota // not queued
	opQueued                  // behind others of its lane
	opInFlight                // the engine has it
	opWorking                 // a goroutine of its own makes its system calls
	opOver
)

// verdict is what follows an attempt.
type verdict uint8

const (
	opDone  verdict = iota // the operation is over
	opAgain                // another attempt can succeed at once
	opWait                 // the socket is not ready
)

// attempt makes system calls until the operation is over or the socket is not ready, and reports whether it is over.
func (o *op) attempt() bool {
	o.tried = true
	for {
		switch o.take(o.call()) {
		case opDone:
			return true
		case opWait:
			return false
		}
	}
}

// take notes the result of a system call or request: what it returned, or a negative errno.
func (o *op) take(res int) verdict {
	if res >= 0 {
		return o.advance(res)
	}
	errno := unix.Errno(-res)
	switch {
	case o.kind == opConnect && (errno == unix.EINPROGRESS || errno == unix.EINTR):
		return opWait
	case errno == unix.EINTR:
		return opAgain
	case errno == unix.EAGAIN:
		if o.kind == opConnect {
			o.began = false // The backlog of a unix socket is full (N43).
		}
		o.short = o.short || o.n > 0
		o.rest()
		return opWait
	case errno == unix.ECANCELED && o.reason != nil:
		return opDone
	}
	o.err = errno
	return opDone
}

// advance notes a success.
func (o *op) advance(res int) verdict {
	left := false // there is more to do
	switch o.kind {
	case opRecv, opRecvMsg:
		if o.peek {
			res = 0
		}
		left = o.whole && o.msg.advance(res) > 0
	case opSend, opSendMsg:
		left = o.msg.advance(res) > 0
	case opSendFile:
		if left = o.left > 0; o.packets != nil {
			left = o.packets.left()
		}
	}
	o.n += res
	o.moved(res)
	if left && res > 0 && (o.kind == opRecv || o.kind == opSend) {
		o.short = true // Of many buffers or a file the kernel takes no more than so much at once.
	}
	switch {
	case left && res > 0 && o.reason == nil && o.whole:
		return opAgain
	case left && res > 0 && o.reason != nil:
		return opDone // and cancelled in between
	}
	o.succeeded = true
	return opDone
}

// settle decides the result of an operation that is over. What was received wins over the reason why it should have
// been cancelled, so that nothing is lost (B06, B07); a send that did not finish has both its bytes and the reason
// (B08). The end of a stream is there for the next receive as well, and does not win.
func (o *op) settle() {
	o.state = opOver
	if o.reminder != nil {
		o.reminder.Stop()
	}
	if o.kind.direction() == receiving && o.n > 0 && o.err == nil {
		o.succeeded = true
	}
	if o.succeeded && o.reason != nil && o.n == 0 && o.msg.stream && (o.kind == opRecv || o.kind == opRecvMsg) {
		o.succeeded = false
	}
	if !o.succeeded && o.err == nil {
		o.err = o.reason
	}
	if o.err != nil && !o.argued {
		o.handle.failed(o.kind.String(), o.err)
	}
}

// ops keeps operations for those who wait for them.
var ops = sync.Pool{New: func() any { return new(op) }}

func newOp(kind opKind, flags int) *op {
	o := ops.Get().(*op)
	o.kind, o.flags = kind, flags
	return o
}

// recycle gives up an operation that nobody else knows any more.
func (o *op) recycle() {
	ready, look, bounds, more := o.ready, o.look, o.bounds, o.msg.iovMore
	clear(more)
	*o = op{} // which copies nothing: a literal with fields would be made on the stack
	o.ready, o.look, o.bounds, o.msg.iovMore = ready, look, bounds, more[:0]
	o.bounds.clear()
	ops.Put(o)
}

// fault returns the operation's error as callers get it.
func (o *op) fault() error {
	err := o.err
	if err == nil && o.succeeded && o.complete && !o.peek && o.msg.flags&unix.MSG_TRUNC != 0 {
		err = unix.EMSGSIZE
	}
	return opError(o.kind.String(), err)
}
