//go:build cgo

package socketops

import (
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

// prepare fills the request that completes an operation. Where there is none that does what the system call would, or
// the request has to wait for a socket in a way that this kernel cannot, it is a poll, and the system call follows.
func (o *op) prepare(s *uring.SQE) error {
	fd := o.handle.fd
	if o.polling || o.peek {
		return o.preparePoll(s)
	}
	var err error
	switch o.kind {
	case opRecv:
		err = s.PrepRecv(fd, o.msg.rest(), o.flags)
	case opSend:
		if o.msg.first == len(o.msg.bufs) {
			return o.preparePoll(s)
		}
		err = s.PrepSend(fd, o.msg.rest(), o.flags|unix.MSG_NOSIGNAL)
	default:
		return o.preparePoll(s)
	}
	if err == nil && o.tried {
		err = s.SetIOPrio(cring.RecvSendPollFirst)
	}
	return err
}

// preparePoll fills a request that waits until the socket is ready, or for the next attempt where nothing tells that.
func (o *op) preparePoll(s *uring.SQE) error {
	o.polling = true
	if o.pause > 0 {
		return s.PrepTimeout(o.pause, 0, 0)
	}
	if o.kind.direction() == receiving {
		return s.PrepPollAdd(o.handle.fd, unix.POLLIN|unix.POLLRDHUP)
	}
	return s.PrepPollAdd(o.handle.fd, unix.POLLOUT)
}

// completed notes the result of a request.
func (o *op) completed(res int) verdict {
	if !o.polling {
		return o.take(res)
	}
	o.polling = false
	if res < 0 && !(o.pause > 0 && res == -int(unix.ETIME)) {
		return o.take(res)
	}
	if o.lull > 0 {
		o.pause = 0 // The lull is over.
	}
	switch {
	case o.reason != nil:
		return opDone
	case o.slow():
		return opAgain
	case o.attempt():
		return opDone
	case res == unix.POLLERR:
		o.lull = longer(o.lull)
		o.pause = o.lull
	}
	return opWait
}
