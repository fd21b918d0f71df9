package uring

import (
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
)

// BufRing is a ring of buffers provided to the kernel under a group id: a request with IOSQE_BUFFER_SELECT takes
// the next of them when it needs one, and a bundle takes many at once. See io_uring_register_buf_ring(3). It needs
// kernel 5.19; sending from it needs 6.10.
//
// The BufRing allocates its buffers, all of one size, with ids from 0 on. Each buffer has one owner:
//
//	Add           the application's buffer becomes the kernel's, from Publish on
//	Consume       what a CQE says the kernel took becomes the application's again
//	Withdraw      whatever is left becomes the application's again, with nothing in flight
//
// The application may touch only buffers it owns. As with its Ring, only the ring's owner may use a BufRing.
type BufRing struct {
	group *bufGroup
	flags uint16
	mem   []byte
	size  int

	lent  []uint64 // one bit a buffer: it is the kernel's
	order []uint16 // by position in the ring: the buffer's id
	lens  []uint32 // by position: its length
	pos   []uint16 // by buffer id: its position
	used  []uint32 // by buffer id: bytes consumed of it so far; incremental rings only
	head  uint16   // position of the oldest entry that Withdraw has to look at
}

// BufRingOption changes what NewBufRing makes.
type BufRingOption func(*bufRingConfig)

type bufRingConfig struct {
	group int
	flags uint16
}

// WithGroup registers the ring under this group id, 0 to 65535; the default is a free one.
func WithGroup(id uint16) BufRingOption { return func(c *bufRingConfig) { c.group = int(id) } }

// WithIncremental has requests use up each buffer bit by bit (IOU_PBUF_RING_INC, kernel 6.12): one large buffer
// then serves many small receives. CQEs carry CQEBufMore while the buffer stays in use.
func WithIncremental() BufRingOption {
	return func(c *bufRingConfig) { c.flags |= cring.PbufRingInc }
}

// NewBufRing registers a ring of entries buffers, a power of two from 1 to 32768, each of size bytes. All buffers
// are the application's at first. The memory is mapped, not Go heap, and is freed by Close of the BufRing or of r.
func (r *Ring) NewBufRing(entries, size int, opts ...BufRingOption) (*BufRing, error) {
	if err := r.owned(); err != nil {
		return nil, err
	}
	if size < 1 || size > ioLenMax {
		return nil, fmt.Errorf("uring: buffers of %d bytes, want 1 to %d: %w", size, ioLenMax, unix.EINVAL)
	}
	cfg := bufRingConfig{group: -1}
	for _, o := range opts {
		o(&cfg)
	}
	g, err := r.newBufGroup(entries, cfg.group, cfg.flags)
	if err != nil {
		return nil, err
	}
	mem, err := mapMemory(entries * size)
	if err != nil {
		_ = g.close()
		return nil, err
	}
	g.buffers = mem
	b := &BufRing{
		group: g, flags: cfg.flags, mem: mem, size: size,
		lent:  make([]uint64, (entries+63)/64),
		order: make([]uint16, entries),
		lens:  make([]uint32, entries),
		pos:   make([]uint16, entries),
	}
	if cfg.flags&cring.PbufRingInc != 0 {
		b.used = make([]uint32, entries)
	}
	return b, nil
}

// Group returns the group id, for SQE.BufferSelect and PrepSendBundle.
func (b *BufRing) Group() uint16 { return b.group.id }

// Entries returns how many buffers there are.
func (b *BufRing) Entries() int { return len(b.order) }

// Size returns the size of each buffer in bytes.
func (b *BufRing) Size() int { return b.size }

// Buffer returns the memory of a buffer that the application owns. The slice must not be used any more once the
// buffer was added, until it is consumed or withdrawn. The error is ErrBufferOwned where the kernel has it.
func (b *BufRing) Buffer(id uint16) ([]byte, error) {
	if err := b.mine(id); err != nil {
		return nil, err
	}
	return b.bytes(id), nil
}

func (b *BufRing) bytes(id uint16) []byte {
	at := int(id) * b.size
	return b.mem[at : at+b.size : at+b.size]
}

func (b *BufRing) isLent(id uint16) bool { return b.lent[id/64]&(1<<(id%64)) != 0 }

// mine returns nil where id is a buffer of this ring and the application's.
func (b *BufRing) mine(id uint16) error {
	switch {
	case b.group == nil:
		return ErrClosed
	case int(id) >= len(b.order):
		return fmt.Errorf("uring: buffer %d of a ring of %d: %w", id, len(b.order), unix.EINVAL)
	case b.isLent(id):
		return ErrBufferOwned
	}
	return nil
}

// Add hands the first n bytes of a buffer to the kernel, behind those added before; the kernel sees it from the
// next Publish on. n must be 1 to Size: the kernel takes an empty buffer for the end of the stream. The error is
// ErrBufferOwned where the buffer is the kernel's already.
func (b *BufRing) Add(id uint16, n int) error {
	if err := b.mine(id); err != nil {
		return err
	}
	if n < 1 || n > b.size {
		return fmt.Errorf("uring: %d bytes of a buffer of %d: %w", n, b.size, unix.EINVAL)
	}
	at := b.group.staged & b.group.mask
	b.order[at], b.lens[at], b.pos[id] = id, uint32(n), b.group.staged
	b.lent[id/64] |= 1 << (id % 64)
	if b.used != nil {
		b.used[id] = 0
	}
	// SAFETY: mem is mapped memory that outlives the group's registration.
	p := unsafe.Pointer(&b.mem[int(id)*b.size])
	race.ReadRange(p, n)
	b.group.stage(p, uint32(n), id)
	return nil
}

// Publish makes the added buffers visible to the kernel, and returns how many. Do not publish to a group from
// which a bundle is sending, unless what it now finds may follow at once.
func (b *BufRing) Publish() int { return b.group.publish() }

// Recycle gives a whole buffer back to the kernel: Add and Publish in one, as a receiver does with each buffer it
// has read.
func (b *BufRing) Recycle(id uint16) error {
	if err := b.Add(id, b.size); err != nil {
		return err
	}
	b.Publish()
	return nil
}

// Piece is the part of one provided buffer that a completion speaks of.
type Piece struct {
	Buffer uint16
	Off    int  // where in the buffer the bytes begin; not zero in incremental rings only
	Len    int  // bytes sent from it, or received into it
	More   bool // the buffer stays the kernel's, which will go on behind these bytes
}

// Consume appends the buffers that c took to dst, in the order of the data, and makes them the application's
// unless More is set. Call it once for each CQE with CQEBuffer, in the order of the CQEs, errors included. A
// bundle that ended short may have taken more buffers than it sent: Withdraw finds them.
func (b *BufRing) Consume(c CQE, dst []Piece) ([]Piece, error) {
	id, ok := c.Buffer()
	if !ok {
		return dst, nil
	}
	if b.group == nil {
		return dst, ErrClosed
	}
	if int(id) >= len(b.order) {
		return dst, fmt.Errorf("uring: completion with buffer %d of a ring of %d: %w", id, len(b.order), unix.EINVAL)
	}
	if !b.isLent(id) {
		if c.Res <= 0 {
			return dst, nil // kernel 6.1 names a buffer in error completions that it did not take
		}
		return dst, fmt.Errorf("uring: completion with buffer %d, which is not the kernel's: %w", id, unix.EINVAL)
	}
	left := max(int(c.Res), 0)
	for at := b.pos[id]; ; at++ {
		id := b.order[at&b.group.mask]
		p := Piece{Buffer: id, Len: min(left, int(b.lens[at&b.group.mask]))}
		if b.used != nil {
			p.Off = int(b.used[id])
			p.Len = min(left, int(b.lens[at&b.group.mask])-p.Off)
		}
		left -= p.Len
		last := left == 0 || !c.bundle || at+1 == b.group.tail
		p.More = last && b.used != nil && c.Flags&CQEBufMore != 0
		b.took(&p)
		dst = append(dst, p)
		if last {
			break
		}
	}
	if left > 0 {
		return dst, fmt.Errorf("uring: completion of %d bytes, %d more than its buffers hold: %w", c.Res, left, unix.EINVAL)
	}
	return dst, nil
}

// took gives the buffer of p back to the application, or notes how far the kernel is in it.
func (b *BufRing) took(p *Piece) {
	if b.used != nil {
		b.used[p.Buffer] += uint32(p.Len)
	}
	if p.More {
		return
	}
	b.lent[p.Buffer/64] &^= 1 << (p.Buffer % 64)
	race.WriteRange(unsafe.Pointer(&b.mem[int(p.Buffer)*b.size+p.Off]), p.Len) // SAFETY: only its address is used.
	for b.head != b.group.tail && !b.isLent(b.order[b.head&b.group.mask]) {
		b.head++
	}
}

// added returns how many bytes of a buffer were handed to the kernel when it last was.
func (b *BufRing) added(id uint16) int { return int(b.lens[b.pos[id]&b.group.mask]) }

// unaccounted is how far the published buffers reach behind those that completions have spoken of.
func (b *BufRing) unaccounted() int { return int(b.group.tail - b.head) }

// resumable returns nil where what is left can simply be sent by another request: every buffer that the kernel has
// picked has left. The kernel ends a bundle so after it had to wait (FACTS 2). Otherwise buffers between were
// picked and not sent, and the error is io.ErrShortWrite.
func (b *BufRing) resumable() error {
	head, err := b.group.head()
	if err == nil && head != b.head {
		err = io.ErrShortWrite
	}
	return err
}

// BufRingStatus says where the kernel and the application are in a ring. Positions run freely and wrap at 65536.
type BufRingStatus struct {
	Head      uint16 // up to here the kernel has taken buffers
	Tail      uint16 // up to here buffers were published
	Available int    // buffers that requests can still take
	Lent      int    // buffers that are the kernel's: added, and neither consumed nor withdrawn
}

// Status asks the kernel how far it has taken buffers (IORING_REGISTER_PBUF_STATUS, kernel 6.8). A send takes its
// buffers when it picks them, sent or not, so the head may be ahead of what completions say.
func (b *BufRing) Status() (BufRingStatus, error) {
	if b.group == nil {
		return BufRingStatus{}, ErrClosed
	}
	if err := b.group.ring.owned(); err != nil {
		return BufRingStatus{}, err
	}
	head, err := b.group.head()
	if err != nil {
		return BufRingStatus{}, err
	}
	st := BufRingStatus{Head: head, Tail: b.group.tail, Available: int(b.group.tail - head)}
	for id := range b.order {
		if b.isLent(uint16(id)) {
			st.Lent++
		}
	}
	return st, nil
}

// Withdraw takes back every buffer that no completion has accounted for, whether the kernel had picked it or not,
// and appends what was added of each, in the order of the ring, to dst. After a bundle that ended short this is
// what is unsent behind the last piece of Consume. The error is unix.EBUSY where a request of the group is in
// flight.
func (b *BufRing) Withdraw(dst []Piece) ([]Piece, error) {
	if err := b.idle("withdraw"); err != nil {
		return dst, err
	}
	head, err := b.group.head()
	if err != nil {
		return dst, err
	}
	return b.takeBack(dst, head), nil
}

// takeBack ends the kernel's ownership of everything lent, in ring order, and leaves the ring empty at head.
func (b *BufRing) takeBack(dst []Piece, head uint16) []Piece {
	for at := b.head; at != b.group.staged; at++ {
		id := b.order[at&b.group.mask]
		if !b.isLent(id) || b.pos[id] != at {
			continue
		}
		p := Piece{Buffer: id, Len: int(b.lens[at&b.group.mask])}
		if b.used != nil {
			p.Off = int(b.used[id])
			p.Len -= p.Off
		}
		b.lent[id/64] &^= 1 << (id % 64)
		dst = append(dst, p)
	}
	b.group.rewind(head)
	b.head = head
	return dst
}

// Reset registers the ring anew and empty: all buffers are the application's. It serves kernels without Status
// too. The error is unix.EBUSY where a request of the group is in flight.
func (b *BufRing) Reset() error {
	if err := b.idle("reset"); err != nil {
		return err
	}
	if err := b.group.reset(b.flags); err != nil {
		return err
	}
	clear(b.lent)
	b.head = 0
	return nil
}

// Close unregisters the ring and frees its buffers. The error is unix.EBUSY where a request of the group is in
// flight; then nothing was freed. Close of the Ring closes its BufRings too.
func (b *BufRing) Close() error {
	if b.group == nil || b.group.mem == nil {
		return nil
	}
	if err := b.idle("close"); err != nil {
		return err
	}
	if err := b.group.close(); err != nil {
		return err
	}
	b.group, b.mem = nil, nil
	return nil
}

// idle returns nil where no request can take or hold a buffer of the group.
func (b *BufRing) idle(what string) error {
	if b.group == nil || b.group.mem == nil {
		return ErrClosed
	}
	if err := b.group.ring.owned(); err != nil {
		return err
	}
	if b.group.inFlight > 0 {
		return fmt.Errorf("uring: %s buffer group %d with %d requests in flight: %w",
			what, b.group.id, b.group.inFlight, unix.EBUSY)
	}
	return nil
}
