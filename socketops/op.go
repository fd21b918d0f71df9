//go:build linux

package socketops

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// op is one operation of a lane: what it is to do, how far it has come, and who is told when it is over.
//
// Its life, and who may touch what in each state:
//
//	          push              run                  over
//	opNew ──────────► opQueued ─────► opInFlight ──────────► opOver
//	  │                │    ▲           ▲    │                 ▲
//	  │                │    │ off a     │    │ work            │
//	  │                │    │ train     │    ▼                 │
//	  │                │    └───────────┤  opWorking ──────────┤
//	  └────────────────┴────────────────┴──────────────────────┘
//	  over at once       cancelled        must wait, by start
//
//	opNew       The goroutine that made it; lane.mu is held while it is first attempted. Arguments and the context were
//	            looked at before that.
//	opQueued    lane.mu. Neither the kernel nor an engine knows of it.
//	opInFlight  lane.mu guards the fields, and one of four has it. Parked: its goroutine has the seat, and the kernel
//	            knows nothing between attempts. With a reactor: the same, without a goroutine. With a ring: the kernel
//	            has the buffers until the terminal completion, which the ring's goroutine alone takes; what it has
//	            queued of it is in inFlight by its ticket. Riding: a Sender has the buffers, and the last that lands
//	            ends it, or has it queued again.
//	opWorking   A goroutine of its own makes its system call without lane.mu, and has the fields that call uses; all
//	            others are guarded by lane.mu.
//	opOver      By drop or beginIn, once, with lane.mu held. It belongs to whom it is handed out: the caller of the
//	            plain form, which gives it back to the pool when nobody else knows it, or the callback. Others only
//	            read state and lane, with lane.mu held, and leave it alone.
//
// What can happen to it, by state:
//
//	                                 opQueued    parked, reactor      ring, riding              opWorking
//	completion of its attempt        -           over, or goes on     over, or goes on          over, or goes on
//	Op.Cancel, context, time-out,    over        over                 the kernel is asked, and  the reason is noted;
//	deadline, Close                                                   over by its completion    over after the call
//	ASYNC_CANCEL answers 0, EALREADY -           -                    its completion follows    -
//	ASYNC_CANCEL answers ENOENT      -           -                    asked again, then pauses  -
//	enter: EAGAIN, EBUSY, ENOMEM     -           -                    borne refusalPatience,    -
//	                                                                  then as the engine's end
//	end of the engine                over when it has its turn: all but parked ones end with the reason
//	a callback panics or exits       nothing: it is called when the operation is over
//	a context's method panics        the operation is cancelled and awaited on the way out, see leave
//
// What was received wins over a cancellation; what was sent is told with it. Nothing is handed out, and no buffer is
// the caller's again, before the kernel is done with it, or the ring keeps it for good and says so by a LeakError.
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
	missed  int    // how often in a row a cancellation has found nothing
	riding  int    // its buffers that a Sender has, where it leaves together with others

	held      int  // bytes that its lane counts as waiting
	refused   bool // at the limit of what may wait
	n         int  // bytes transferred, or the descriptor that was accepted
	succeeded bool
	err       error // why not, or nil

	pause    time.Duration // until the next attempt, where no event tells when that can succeed
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
	opEdge                 // nor is it, though a poll says so: only a change of that is news
)

// attempt makes system calls until the operation is over or the socket is not ready, and reports whether it is over.
func (o *op) attempt() bool {
	o.tried = true
	for tries := eintr.Tries(0); ; {
		res := o.call()
		if res == -int(unix.EINTR) && o.kind != opConnect && !tries.Again() {
			o.err = unix.EINTR
			return true
		}
		switch o.take(res) {
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

// bounds are what can end a plain form before its time, apart from its socket. They are watched while it waits, and no
// sooner: most transfers never have to.
type bounds struct {
	ctx     context.Context
	ended   error         // why ctx had ended before the operation began, or nil
	timeout time.Duration // 0 for none

	watched bool
	over    bool          // nothing is left to wait for
	forget  func() bool   // has ctx not be watched any more, or nil
	timer   *time.Timer   // of timeout, or of an operation before it
	reached chan struct{} // told by each that has ended the operation
}

// bind makes an operation a plain form. What that waits by is made once, as others after it have it. The context is
// asked here, where no lock is held: it can be of a foreign type, whose methods may do anything.
func (o *op) bind(ctx context.Context, timeout time.Duration) {
	if o.ready == nil {
		o.ready, o.look = make(chan struct{}, 1), o.looks
		o.bounds.reached = make(chan struct{}, 2)
	}
	o.bounds.ctx, o.bounds.ended, o.bounds.timeout = ctx, ended(ctx), timeout
}

// watch has the bounds end an operation, which is queued. To call it again does nothing.
func (o *op) watch() {
	b := &o.bounds
	if b.watched {
		return
	}
	if b.ctx.Done() != nil {
		b.forget = context.AfterFunc(b.ctx, func() {
			reason := errCanceled
			defer func() { o.reach(reason) }() // also where a method of ctx ends the goroutine
			if why := ended(b.ctx); why != nil {
				reason = why
			}
		})
	}
	b.watched = true
	switch {
	case b.timeout <= 0:
	case b.timer == nil:
		b.timer = time.AfterFunc(b.timeout, func() { o.reach(ErrTimeout) })
	default:
		b.timer.Reset(b.timeout)
	}
}

// reach ends an operation at one of its bounds.
func (o *op) reach(reason error) {
	o.lane.cancel(o, reason)
	o.bounds.reached <- struct{}{}
}

// unwatch returns when no bound knows the operation any more, which is over.
func (o *op) unwatch() {
	b := &o.bounds
	if !b.watched {
		return
	}
	b.watched = false
	if b.forget != nil && !b.forget() {
		<-b.reached
	}
	if b.timeout > 0 && !b.timer.Stop() {
		<-b.reached
	}
}

// clear forgets an operation, and keeps what serves the next.
func (b *bounds) clear() { *b = bounds{timer: b.timer, reached: b.reached} }
