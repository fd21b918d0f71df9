package uring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
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
// The application may touch only buffers it owns; builds with -asan report it where it touches others. As with its
// Ring, only the ring's owner may use a BufRing, though what Buffer and Data return may be used anywhere.
type BufRing struct {
	// What a bundle of all buffers needs comes first, on as few cache lines as can be.
	group   *bufGroup
	lent    int // how many buffers are the kernel's, those settled of the run included
	left    int // bytes of run that completions have spoken of
	run     run // those of the lent buffers that bufs does not speak of
	laid    run // what the entries of the ring are known to say
	size    int
	bufs    []provided // by buffer id
	flags   uint16
	last    uint16 // the buffer added last
	partial bool   // a buffer of the bundle that is being accounted for left in part

	stride  int // from one buffer to the next
	mem     []byte
	scratch []Piece
}

// provided is where one buffer stands.
type provided struct {
	off  uint32 // where the part begins that the kernel has and that no completion spoke of
	len  uint32 // length of that part
	pos  uint32 // position in the ring
	next uint16 // the buffer added after this one; it lies at the next position as long as it was not added again
	lent bool   // it is the kernel's
}

// BufRingOption changes what NewBufRing makes.
type BufRingOption func(*bufRingConfig)

type bufRingConfig struct {
	group int
	flags uint16
}

// WithGroup registers the ring under this group id, 0 to 65535; the default is a free one from 64 on. An id below
// 64 should serve only once in the life of an io_uring: kernel 6.1 does not start a second ring under it from its
// beginning.
func WithGroup(id uint16) BufRingOption { return func(c *bufRingConfig) { c.group = int(id) } }

// WithIncremental has requests use up each buffer bit by bit (IOU_PBUF_RING_INC, kernel 6.12): one large buffer
// then serves many small receives. CQEs carry CQEBufMore while the buffer stays in use. A CQE does not say where in
// the buffer its bytes lie, so at most one send from such a ring may be in flight. Receive without MSG_WAITALL: of
// bytes that come in several parts kernel 6.18 counts the last part only, and writes over the others later.
func WithIncremental() BufRingOption {
	return func(c *bufRingConfig) { c.flags |= cring.PbufRingInc }
}

// NewBufRing registers a ring of entries buffers, a power of two from 1 to 32768, each of size bytes. All buffers
// are the application's at first. The memory is mapped, not Go heap (but under the race detector, which watches
// nothing else), and is given back by Close of the BufRing or of r; small BufRings of a Ring share mappings, and one is
// unmapped when the last of its BufRings is closed.
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
	stride := (size + cacheLine - 1) &^ (cacheLine - 1)
	if g.buffers, err = r.groups.memory.alloc(entries * stride); err != nil {
		_ = g.close()
		return nil, err
	}
	return &BufRing{
		group: g, flags: cfg.flags, size: size, stride: stride, bufs: make([]provided, entries),
		mem: g.buffers.bytes,
	}, nil
}

// Group returns the group id, for SQE.BufferSelect and PrepSendBundle.
func (b *BufRing) Group() uint16 { return b.group.id }

// Entries returns how many buffers there are.
func (b *BufRing) Entries() int { return len(b.bufs) }

// Size returns the size of each buffer in bytes.
func (b *BufRing) Size() int { return b.size }

// Lent returns how many buffers are the kernel's: added, and neither consumed nor withdrawn.
func (b *BufRing) Lent() int { return b.lent - b.settled() }

// Buffer returns the memory of a buffer that the application owns. The slice must not be used any more once the
// buffer was added, until it is consumed or withdrawn. The error is ErrBufferOwned where the kernel has it.
func (b *BufRing) Buffer(id uint16) ([]byte, error) {
	b.unfold()
	if err := b.mine(id); err != nil {
		return nil, err
	}
	at := int(id) * b.stride
	return b.mem[at : at+b.size : at+b.size], nil
}

// Data returns the bytes of a piece that Consume or Withdraw spoke of. They are the application's until the buffer
// is added again, also where the buffer's rest still is the kernel's (Piece.More).
func (b *BufRing) Data(p Piece) ([]byte, error) {
	b.unfold()
	if err := b.valid(p); err != nil {
		return nil, err
	}
	if buf := &b.bufs[p.Buffer]; buf.lent && p.Off+p.Len > int(buf.off) {
		return nil, ErrBufferOwned
	}
	at := int(p.Buffer)*b.stride + p.Off
	return b.mem[at : at+p.Len : at+p.Len], nil
}

// mine returns nil where id is a buffer of this ring and the application's.
func (b *BufRing) mine(id uint16) error {
	switch {
	case b.group.closed():
		return ErrClosed
	case int(id) >= len(b.bufs):
		return fmt.Errorf("uring: buffer %d of a ring of %d: %w", id, len(b.bufs), unix.EINVAL)
	case b.bufs[id].lent:
		return ErrBufferOwned
	}
	return nil
}

// valid returns nil where p lies within a buffer of this ring.
func (b *BufRing) valid(p Piece) error {
	switch {
	case b.group.closed():
		return ErrClosed
	case int(p.Buffer) >= len(b.bufs):
		return fmt.Errorf("uring: buffer %d of a ring of %d: %w", p.Buffer, len(b.bufs), unix.EINVAL)
	case p.Off < 0 || p.Len < 0 || p.Off > b.size-p.Len:
		return fmt.Errorf("uring: %d bytes from %d on of a buffer of %d: %w", p.Len, p.Off, b.size, unix.EINVAL)
	}
	return nil
}

// Add hands the first n bytes of a buffer to the kernel, behind those added before; the kernel sees it from the
// next Publish on. n must be 1 to Size: the kernel takes an empty buffer for the end of the stream. The error is
// ErrBufferOwned where the buffer is the kernel's already.
func (b *BufRing) Add(id uint16, n int) error {
	b.unfold()
	if int(id) >= len(b.group.entries) || b.bufs[id].lent || n <= 0 || n > b.size {
		return b.refusal(Piece{Buffer: id, Len: n})
	}
	b.lend(id, 0, n)
	return nil
}

// AddPiece is Add for a part of a buffer, such as the unsent rest of one.
func (b *BufRing) AddPiece(p Piece) error {
	b.unfold()
	if int(p.Buffer) >= len(b.group.entries) || b.bufs[p.Buffer].lent ||
		p.Len <= 0 || p.Off < 0 || p.Off > b.size-p.Len {
		return b.refusal(p)
	}
	b.lend(p.Buffer, p.Off, p.Len)
	return nil
}

// lend stages part of a buffer and notes that it is the kernel's.
func (b *BufRing) lend(id uint16, off, n int) {
	g := b.group
	b.laid = run{}
	b.note(id, off, n, g.staged)
	b.lent++
	// SAFETY: mem is memory that stays in place until the group is closed.
	p := unsafe.Pointer(&b.mem[int(id)*b.stride+off])
	lendBytes(p, n)
	g.stage(p, uint32(n), id)
}

// note writes down that part of a buffer is the kernel's, at a position of the ring behind those noted before.
func (b *BufRing) note(id uint16, off, n int, pos uint32) {
	b.bufs[b.last].next = id
	b.last = id
	buf := &b.bufs[id]
	buf.off, buf.len, buf.pos, buf.lent = uint32(off), uint32(n), pos, true
}

// AddRange adds the first n bytes of each of count buffers from first on, in the order of their ids; where one of
// them cannot be added none is. Where the kernel has no other buffer, a range costs no more than one buffer, but
// for the entries of the ring, and these only where they are not there from the time before: see Settle.
func (b *BufRing) AddRange(first uint16, count, n int) error {
	switch {
	case b.group.closed():
		return ErrClosed
	case count < 0 || count > len(b.bufs)-int(first):
		return fmt.Errorf("uring: %d buffers from %d on in a ring of %d: %w", count, first, len(b.bufs), unix.EINVAL)
	case n < 1 || n > b.size:
		return b.refusal(Piece{Buffer: first, Len: n})
	case count == 0:
		return nil
	case b.lent == 0 && b.flags&cring.PbufRingInc == 0:
		b.addRun(run{first: first, count: uint16(count), len: uint32(n), pos: b.group.staged})
		return nil
	}
	b.unfold()
	bufs := b.bufs[first:][:count]
	for i := range bufs {
		if bufs[i].lent {
			return ErrBufferOwned
		}
	}
	for i := range bufs {
		b.lend(first+uint16(i), 0, n)
	}
	return nil
}

// refusal is why p cannot be added.
func (b *BufRing) refusal(p Piece) error {
	if err := b.valid(p); err != nil {
		return err
	}
	if p.Len == 0 {
		return fmt.Errorf("uring: an empty buffer reads as the end of the stream: %w", unix.EINVAL)
	}
	return b.mine(p.Buffer)
}

// Publish makes the added buffers visible to the kernel, and returns how many. Do not publish to a group from which
// a bundle is sending, unless what it now finds may follow at once.
func (b *BufRing) Publish() int {
	if b.group.closed() {
		return 0
	}
	return b.group.publish()
}

// Recycle gives a whole buffer back to the kernel: Add and Publish in one, as a receiver does with each buffer it
// has read.
func (b *BufRing) Recycle(id uint16) error {
	if err := b.Add(id, b.size); err != nil {
		return err
	}
	b.Publish()
	return nil
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
	if err := b.usable(); err != nil {
		return BufRingStatus{}, err
	}
	head, err := b.group.head()
	if err != nil {
		return BufRingStatus{}, err
	}
	tail := uint16(b.group.tail)
	return BufRingStatus{Head: head, Tail: tail, Available: int(tail - head), Lent: b.Lent()}, nil
}

// Reset registers the ring anew and empty: all buffers are the application's. It serves kernels without Status too.
// The error is unix.EBUSY where a request of the group is queued or in flight. Where it fails midway the group is
// not registered; Reset may be tried again.
func (b *BufRing) Reset() error {
	if err := b.idle("reset"); err != nil {
		return err
	}
	if err := b.group.unregister(); err != nil {
		return err
	}
	b.regain(func(Piece) {})
	b.group.rewind(0)
	return b.group.register(b.flags)
}

// Close unregisters the ring and frees its buffers: no slice of them may be used any more. The error is unix.EBUSY
// where a request of the group is queued or in flight; then nothing was freed. Close of the Ring closes its
// BufRings too.
func (b *BufRing) Close() error {
	if b.group.closed() {
		return nil
	}
	if err := b.idle("close"); err != nil {
		return err
	}
	return b.group.close()
}

// usable returns nil where the calling thread may use the ring.
func (b *BufRing) usable() error {
	if b.group.closed() {
		return ErrClosed
	}
	return b.group.ring.owned()
}

// idle returns nil where no request can take or hold a buffer of the group.
func (b *BufRing) idle(what string) error {
	if err := b.usable(); err != nil {
		return err
	}
	return b.group.busy(what)
}
