//go:build cgo

package socketops

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
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

// stopTrain takes back what a Sender has: to the byte, all of it lands.
func (p *ringPort) stopTrain() error {
	s := p.train.sender
	if s == nil {
		return nil
	}
	d := p.driver
	p.train.sender = nil
	p.hasSender.Store(false)
	d.senders--
	if p.train.idle {
		p.train.idle = false
		d.idle = slices.DeleteFunc(d.idle, func(other *ringPort) bool { return other == p })
	}
	err := s.Close()
	var unsent *uring.UnsentError
	if errors.As(err, &unsent) { // of which the operations are told
		return nil
	}
	return err
}

// land goes on with the operations of which Senders have told.
func (d *ringDriver) land() error {
	for len(d.landed) > 0 {
		landed := d.landed
		d.landed = d.landedSpare[:0]
		for rest := landed; len(rest) > 0; {
			n, err := d.landOn(rest[0].op.lane, rest)
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		clear(landed)
		d.landedSpare = landed
	}
	return d.trim()
}

// landOn goes on with operations of one lane, as many of them as come first, and returns how many that were.
func (d *ringDriver) landOn(l *lane, landed []landing) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.handle.port.(*ringPort)
	for n < len(landed) && landed[n].op.lane == l {
		p.landed(landed[n])
		n++
	}
	if p.train.riding > 0 {
		return n, nil
	}
	if p.train.solo {
		err = p.stopTrain()
	}
	if !p.train.idle && p.train.sender != nil {
		p.train.idle = true
		d.idle = append(d.idle, p)
	}
	l.busy = false
	l.run()
	return n, err
}

// trim gives up Senders that have nothing to send where there are many, those first that have been idle for long.
func (d *ringDriver) trim() error {
	given := 0
	for given < len(d.idle) && d.senders > sendersMax {
		p := d.idle[given]
		given++
		p.train.idle = false
		if p.train.riding > 0 {
			continue // It is back in the list when its train has ended.
		}
		if err := p.stopTrain(); err != nil {
			return err
		}
	}
	d.idle = slices.Delete(d.idle, 0, given)
	return nil
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
