//go:build cgo

package socketops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

// trainMax bounds how many operations leave together.
const trainMax = 1024

// sendersMax is how many Senders there are before those that have nothing to send are given up: each has some 5 KiB.
const sendersMax = 256

// train is the run of stream sends at the head of a lane that a Sender has: one request of it carries hundreds of
// them, and at most one is in flight. What is queued meanwhile is the next train. It is the goroutine's of the driver.
type train struct {
	sender *uring.Sender // made with the first train, or nil
	riding int           // operations that have not landed
	solo   bool          // sends go one by one: there is no Sender, or the socket has failed
	idle   bool          // in the driver's list of those whose Sender may be given up
}

// landing is what became of one buffer that a Sender had.
type landing struct {
	op   *op
	sent int
	err  error
}

// rides reports whether an operation may leave together with others: plain bytes of a stream.
func (o *op) rides() bool {
	switch {
	case !o.msg.stream || o.flags != 0 || o.reason != nil || o.msg.left() == 0:
		return false
	case o.kind == opSendMsg:
		return o.msg.nameLen == 0
	}
	return o.kind == opSend
}

// board gives the sends at the head of a lane to the socket's Sender, and reports whether there are two of them at
// least, and a Sender. mu of the lane is held.
func (d *ringDriver) board(head *op) bool {
	p := head.lane.handle.port.(*ringPort)
	if p.train.solo || head.next == nil || !head.rides() || !head.next.rides() || !p.makeSender() {
		return false
	}
	for o := head; o != nil && o.rides() && p.train.riding < trainMax; o = o.next {
		if o != head {
			o.ticket = d.tickets.Add(1)
			d.inFlight[o.ticket] = o
		}
		o.state = opInFlight
		p.train.riding++
		p.handOver(o)
	}
	d.meter.bundled(p.train.riding)
	return true
}

// makeSender makes the Sender of a socket, where it has none and can have one.
func (p *ringPort) makeSender() bool {
	if p.train.sender != nil {
		return true
	}
	s, err := p.driver.ring.NewSender(p.handle.fd,
		uring.WithLimit(math.MaxInt), uring.WithBatch(math.MaxInt), uring.WithPromptRelease())
	if err != nil {
		p.train.solo = true
		return false
	}
	p.train.sender = s
	p.hasSender.Store(true)
	p.driver.senders++
	return true
}

// handOver gives the Sender what is left of an operation. A Sender without a limit refuses only what it will never
// send.
func (p *ringPort) handOver(o *op) {
	d := p.driver
	release := func(sent int, err error) { d.landed = append(d.landed, landing{o, sent, err}) }
	skip := o.msg.skip
	for _, b := range o.msg.bufs[o.msg.first:] {
		b, skip = b[skip:], 0
		if len(b) == 0 {
			continue
		}
		o.riding++
		if err := p.train.sender.HandOver(b, release); err != nil {
			release(0, err)
		}
	}
}

// stopTrain takes back what a Sender has: to the byte, all of it lands. Where the kernel does not give back the
// Sender's buffer group, or has not ended its request in time, that is this socket's affair: the ring keeps both.
func (p *ringPort) stopTrain() {
	s := p.train.sender
	if s == nil {
		return
	}
	d := p.driver
	p.train.sender = nil
	p.hasSender.Store(false)
	d.senders--
	if p.train.idle {
		p.train.idle = false
		d.idle = slices.DeleteFunc(d.idle, func(other *ringPort) bool { return other == p })
	}
	for _, err := range flattened(s.Close()) {
		var unsent *uring.UnsentError
		if !errors.As(err, &unsent) { // of which the operations are told
			d.keep(err)
		}
	}
}

// flattened returns the errors that errors.Join has joined, or the one that there is.
func flattened(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// land goes on with the operations of which Senders have told.
func (d *ringDriver) land() {
	for len(d.landed) > 0 {
		landed := d.landed
		d.landed = d.landedSpare[:0]
		for rest := landed; len(rest) > 0; {
			rest = rest[d.landOn(rest[0].op.lane, rest):]
		}
		clear(landed)
		d.landedSpare = landed
	}
	d.trim()
}

// landOn goes on with operations of one lane, as many of them as come first, and returns how many that were.
func (d *ringDriver) landOn(l *lane, landed []landing) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.handle.port.(*ringPort)
	for n < len(landed) && landed[n].op.lane == l {
		p.landed(landed[n])
		n++
	}
	if p.train.riding > 0 {
		return n
	}
	if p.train.solo {
		p.stopTrain()
	}
	if !p.train.idle && p.train.sender != nil {
		p.train.idle = true
		d.idle = append(d.idle, p)
	}
	l.busy = false
	l.run()
	return n
}

// trim gives up Senders that have nothing to send where there are many, those first that have been idle for long.
func (d *ringDriver) trim() {
	given := 0
	for given < len(d.idle) && d.senders > sendersMax {
		p := d.idle[given]
		given++
		p.train.idle = false
		if p.train.riding > 0 {
			continue // It is back in the list when its train has ended.
		}
		p.stopTrain()
	}
	d.idle = slices.Delete(d.idle, 0, given)
}

// landed goes on with an operation of which a buffer has landed. One that is over leaves the lane; one that is not, as
// the train was stopped for the sake of another, waits for its turn as if it never had one. mu of the lane is held.
func (p *ringPort) landed(at landing) {
	o := at.op
	o.riding--
	if at.sent > 0 {
		o.take(at.sent)
	}
	if at.err != nil && !errors.Is(at.err, uring.ErrClosed) && !p.train.solo {
		// The error is that of one operation. What comes behind it is told by the socket itself.
		p.train.solo = true
		o.err = sendError(at.err)
	}
	if o.riding > 0 {
		return
	}
	p.train.riding--
	delete(p.driver.inFlight, o.ticket)
	if o.succeeded || o.err != nil || o.reason != nil {
		o.lane.drop(o)
		return
	}
	o.state = opQueued
}

// sendError is a Sender's error as a system call would give it.
func sendError(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return fmt.Errorf("send bundle: %w", err)
}

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
		err = s.PrepRecv(fd, capped(o.msg.rest()), o.flags)
	case opSend:
		if o.msg.first == len(o.msg.bufs) {
			return o.preparePoll(s)
		}
		err = s.PrepSend(fd, capped(o.msg.rest()), o.flags|unix.MSG_NOSIGNAL)
	default:
		return o.preparePoll(s)
	}
	if err == nil && o.tried {
		err = s.SetIOPrio(cring.RecvSendPollFirst)
	}
	return err
}

// capped is what one request can be about: the kernel takes no more at once (MAX_RW_COUNT). The rest comes after it.
func capped(p []byte) []byte { return p[:min(len(p), sendFileMax)] }

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
	before := o.n
	switch {
	case o.reason != nil:
		return opDone
	case o.slow():
		return opAgain
	case o.attempt():
		return opDone
	case o.pause == 0 && o.n == before:
		return opEdge // or the next poll would tell the same at once
	}
	return opWait
}
