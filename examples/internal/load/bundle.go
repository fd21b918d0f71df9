//go:build linux

package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/examples/internal/proto"
)

// buffersPerCQE is how many buffers one completion of a bundle covers at most.
const buffersPerCQE = 256

// bundle keeps the messages of each connection in a ring of provided buffers, and sends the whole batch by one
// bundle. Nothing is copied: a message is written where the kernel reads it, and is the application's again when
// the completion came.
type bundle struct {
	loop
	job   proto.Job
	fds   sockets
	conns []bundleConn
	taken []uring.Piece // scratch
}

// bundleConn is one connection and how much of its batch has left.
type bundleConn struct {
	fd      int
	buffers *uring.BufRing
	sent    int // bytes
}

func openBundle(job proto.Job) (batcher, error) {
	b := &bundle{job: job, conns: make([]bundleConn, job.Conns)}
	var err error
	completions := 2 * job.Conns * ((job.Msgs + buffersPerCQE - 1) / buffersPerCQE)
	if b.loop, err = newLoop(job.Conns, completions); err != nil {
		return nil, err
	}
	if b.ring.Features()&uring.FeatRecvSendBundle == 0 {
		b.close()
		return nil, &uring.UnsupportedError{
			Name: uring.CanSendBundle, Missing: "IORING_FEAT_RECVSEND_BUNDLE", Provider: "kernel 6.10",
			SinceMajor: 6, SinceMinor: 10,
		}
	}
	if b.fds, err = connect(job); err != nil {
		b.close()
		return nil, err
	}
	for i := range b.conns {
		if err := b.provide(i); err != nil {
			b.close()
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return b, nil
}

// provide makes the connection's buffers and fills each with the message of its slot.
func (b *bundle) provide(conn int) error {
	entries := 1
	for entries < b.job.Msgs {
		entries *= 2
	}
	buffers, err := b.ring.NewBufRing(entries, b.job.Size)
	if err != nil {
		return err
	}
	b.conns[conn] = bundleConn{fd: b.fds[conn], buffers: buffers}
	for slot := range b.job.Msgs {
		msg, err := buffers.Buffer(uint16(slot))
		if err != nil {
			return err
		}
		proto.Fill(msg, conn, slot)
	}
	return nil
}

// close ends the ring first: it owns the buffers and uses the sockets.
func (b *bundle) close() {
	b.ring.Close()
	b.fds.close()
}

func (b *bundle) stamp(batch uint64) {
	for i := range b.conns {
		for slot := range b.job.Msgs {
			msg, err := b.conns[i].buffers.Buffer(uint16(slot))
			if err != nil {
				panic(err) // between passes all buffers are ours
			}
			proto.Stamp(msg, batch*uint64(b.job.Msgs)+uint64(slot))
		}
	}
}

func (b *bundle) pass() error {
	for i := range b.conns {
		c := &b.conns[i]
		c.sent = 0
		if err := b.send(i, 0); err != nil {
			return err
		}
	}
	return b.runInline(len(b.conns), b)
}

// send publishes the connection's messages from the given slot on and asks for a bundle of them.
func (b *bundle) send(conn, slot int) error {
	c := &b.conns[conn]
	if err := c.buffers.AddRange(uint16(slot), b.job.Msgs-slot, b.job.Size); err != nil {
		return err
	}
	c.buffers.Publish()
	sqe, err := b.ring.SQE()
	if err != nil {
		return err
	}
	sqe.SetData64(uint64(conn))
	return sqe.PrepSendBundle(c.fd, c.buffers.Group(), 0)
}

// complete accounts for one completion and goes on with the rest of the batch if a bundle ended short.
func (b *bundle) complete(cqe *uring.CQE) (int, error) {
	conn := int(cqe.Data64)
	c := &b.conns[conn]
	all, err := c.buffers.Settle(*cqe)
	if err != nil {
		return 0, err
	}
	if err := cqe.Err(); err != nil {
		return 0, err
	}
	c.sent += int(cqe.Res)
	switch {
	case cqe.More():
		return 0, nil
	case all || c.sent == b.job.Msgs*b.job.Size: // the last piece may have gone by a plain send
		return 1, nil
	case cqe.Res == 0:
		return 0, errors.New("send ended after 0 bytes")
	}
	return 0, b.goOn(conn)
}

// goOn sends the rest of a batch from its first unsent byte. The kernel may have taken buffers that it did not
// send, so all are taken back first. The rest of a message that left in part goes out by a plain send, and what
// follows when that has completed.
func (b *bundle) goOn(conn int) error {
	c := &b.conns[conn]
	var err error
	if b.taken, err = c.buffers.Withdraw(b.taken[:0]); err != nil {
		return err
	}
	slot, skip := c.sent/b.job.Size, c.sent%b.job.Size
	if skip == 0 {
		return b.send(conn, slot)
	}
	msg, err := c.buffers.Buffer(uint16(slot))
	if err != nil {
		return err
	}
	sqe, err := b.ring.SQE()
	if err != nil {
		return err
	}
	sqe.SetData64(uint64(conn))
	return sqe.PrepSend(c.fd, msg[skip:], unix.MSG_WAITALL)
}
