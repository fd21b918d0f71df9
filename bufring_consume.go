package uring

import (
	"fmt"
	"io"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// Piece is a part of one provided buffer.
type Piece struct {
	Buffer uint16
	More   bool // from Consume: the buffer stays the kernel's, which will go on behind these bytes
	Off    int  // where in the buffer the bytes begin
	Len    int  // how many they are: bytes sent from there, or received there

	// Left is how many bytes the kernel had been given behind these and did not use: the unsent rest of a send.
	// Where More is set these are bytes that an incremental send with a length had picked: the kernel goes on
	// behind them all the same.
	Left int
}

// Rest returns the part of the buffer behind p that the kernel had been given and did not use; see Left.
func (p Piece) Rest() Piece { return Piece{Buffer: p.Buffer, Off: p.Off + p.Len, Len: p.Left} }

// Consume appends the buffers that c took to dst, in the order of the data, and makes them the application's unless
// More is set. Call it once for each CQE with CQEBuffer, in the order of the CQEs, errors included.
//
// A bundle that ended early may have taken more buffers out of the ring than it sent: what is unsent is the Rest of
// the last piece, and then what Withdraw finds. Where Status has all that are Lent still Available, there is no
// such gap.
//
// A completion of another group, or one that names a buffer that is not the kernel's or more bytes than the buffers
// hold, is an error. A datagram that MSG_TRUNC reports as longer than its buffer gives what the buffer holds.
func (b *BufRing) Consume(c CQE, dst []Piece) ([]Piece, error) {
	b.unfold()
	dst, err := b.consume(c, dst)
	b.forget(c)
	return dst, err
}

// consume is Consume where bufs speaks of all buffers.
func (b *BufRing) consume(c CQE, dst []Piece) ([]Piece, error) {
	id, ok := c.Buffer()
	if !ok {
		return dst, nil
	}
	if err := b.accountable(c, id); err != nil {
		return dst, err
	}
	if !b.bufs[id].lent || c.Res < 0 && b.available(id) && b.skipped(c, &b.bufs[id], 0) == 0 {
		return dst, nil
	}
	left, bufs := max(int(c.Res), 0), b.bufs
	for {
		buf := &bufs[id]
		n := min(left, b.capacity(buf))
		left -= n
		next := &bufs[buf.next]
		last := left == 0 || !c.bundle || !next.lent || next.pos != buf.pos+1
		dst = append(dst, Piece{}) // and filled in place, which is twice as fast
		p := &dst[len(dst)-1]
		p.Buffer, p.More = id, last && b.goesOn(c, buf, n)
		id = buf.next
		if p.More {
			p.Left = b.skipped(c, buf, n)
		}
		b.took(p, buf, n)
		if last {
			break
		}
	}
	if left > 0 && c.bundle {
		return dst, fmt.Errorf("uring: completion of %d bytes, %d more than its buffers hold: %w",
			c.Res, left, unix.EINVAL)
	}
	return dst, nil
}

// accountable returns nil where c can be of this group, and id a buffer that it took. Error completions may also
// name buffers that they did not take: that is no error, and nothing is to be accounted.
func (b *BufRing) accountable(c CQE, id uint16) error {
	switch {
	case b.group.closed():
		return ErrClosed
	case c.group != b.group.serial && !c.Foreign:
		return fmt.Errorf("uring: completion of another buffer group than %d: %w", b.group.id, unix.EINVAL)
	case int(id) >= len(b.bufs):
		return fmt.Errorf("uring: completion with buffer %d of a ring of %d: %w", id, len(b.bufs), unix.EINVAL)
	case !b.bufs[id].lent && c.Res > 0:
		return fmt.Errorf("uring: completion with buffer %d, which is not the kernel's: %w", id, unix.EINVAL)
	}
	return nil
}

// available reports whether a buffer that an error completion names is still in the ring, for requests to take. The
// kernel names the buffer that the request had picked, and only some kernels take it from the ring at that time.
// Kernels that cannot say (before 6.8) take what they name.
func (b *BufRing) available(id uint16) bool {
	head, err := b.group.head()
	if err != nil {
		return false
	}
	tail := b.group.tail
	return tail-b.bufs[id].pos <= uint32(uint16(tail)-head)
}

// unaccounted is how many published buffers no completion has spoken of.
func (b *BufRing) unaccounted() int { return b.Lent() - int(b.group.staged-b.group.tail) }

// resumable returns nil where what is left can simply be sent by another request: every buffer that the kernel has
// picked has left. The kernel ends a bundle so after it had to wait (fact 2). Otherwise buffers between were
// picked and not sent, and the error is io.ErrShortWrite.
func (b *BufRing) resumable() error {
	st, err := b.Status()
	if err == nil && st.Available != b.unaccounted() {
		err = io.ErrShortWrite
	}
	return err
}

// goesOn reports whether the kernel has more to do with the buffer of an incremental ring of which c used n bytes.
// Kernel 6.18 forgets CQEBufMore where a receive with MSG_WAITALL ends early. A receive lets go of a buffer when it
// is full; a send may have let go of a whole one that it sent in part, and then the ring's entry is empty.
func (b *BufRing) goesOn(c CQE, buf *provided, n int) bool {
	switch {
	case b.flags&cring.PbufRingInc == 0:
		return false
	case c.Flags&CQEBufMore != 0:
		return true
	case c.op == cring.OpSend:
		return b.group.entry(buf.pos).Len > 0
	}
	return int(buf.len) > n
}

// skipped is how many bytes the kernel has passed over behind the n that c used of the buffer of an incremental ring:
// kernel 6.18 moves on by the length of a send when the send picks the buffer, whatever becomes of it (fact 4).
func (b *BufRing) skipped(c CQE, buf *provided, n int) int {
	if b.flags&cring.PbufRingInc == 0 || c.op != cring.OpSend || c.More() {
		return 0
	}
	return int(buf.len) - n - int(b.group.entry(buf.pos).Len)
}

// capacity is how many bytes the kernel could use of a buffer. In a classic ring that may be fewer than were
// added: a bundle with a limit shortens the ring's entry, and kernels leave it so when the bundle then ends
// without the buffer (liburing's test recv-bundle-buf-len.c).
func (b *BufRing) capacity(buf *provided) int {
	n := buf.len
	if b.flags&cring.PbufRingInc == 0 && b.group.staged-buf.pos <= uint32(len(b.bufs)) {
		n = min(n, b.group.entry(buf.pos).Len)
	}
	return int(n)
}

// took notes that the kernel used n further bytes of a buffer, fills p with where they are, and gives the buffer
// back to the application unless the kernel has more to do with it.
func (b *BufRing) took(p *Piece, buf *provided, n int) {
	p.Off, p.Len = int(buf.off), n
	buf.off += uint32(n)
	buf.len -= uint32(n)
	if p.More {
		buf.off += uint32(p.Left)
		buf.len -= uint32(p.Left)
	} else {
		p.Left = int(buf.len)
		buf.lent = false
		b.lent--
	}
	b.partial = b.partial || p.Left > 0
	if back := n + p.Left; back > 0 {
		regainBytes(unsafe.Pointer(&b.mem[int(p.Buffer)*b.stride+p.Off]), back) // SAFETY: only the address is used.
	}
}

// Withdraw takes back every buffer that no completion has accounted for, whether the kernel had picked it or not,
// and appends what was added of each and not used, in the order of the ring, to dst. After a bundle that ended
// short this is what is unsent behind the last piece of Consume; AddPiece puts it back. Call Consume for all
// completions first. The error is unix.EBUSY where a request of the group is queued or in flight. It needs kernel
// 6.8, as Status does; Reset serves older ones.
func (b *BufRing) Withdraw(dst []Piece) ([]Piece, error) {
	if err := b.idle("withdraw"); err != nil {
		return dst, err
	}
	head, err := b.group.head()
	if err != nil {
		return dst, err
	}
	before := len(dst)
	b.regain(func(p Piece) { dst = append(dst, p) })
	slices.SortFunc(dst[before:], func(p, q Piece) int {
		return int(int32(b.bufs[p.Buffer].pos - b.bufs[q.Buffer].pos))
	})
	b.group.rewind(head)
	return dst, nil
}

// regain makes every buffer the application's and calls f with what the kernel did not use of each.
func (b *BufRing) regain(f func(Piece)) {
	b.unfold()
	for id := 0; b.lent > 0; id++ {
		if b.bufs[id].lent {
			p := Piece{Buffer: uint16(id)}
			b.took(&p, &b.bufs[id], 0)
			f(p.Rest())
		}
	}
	b.partial = false
}
