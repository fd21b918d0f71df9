package uring

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/unix"
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
// Ring, only the ring's owner may use a BufRing, though what Buffer and Data return may be used anywhere. To another
// goroutine its methods give ErrNotOwner, Publish and Lent zero; Group, Entries and Size may be called from anywhere.
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
	astray  bool   // the kernel has moved on by other bytes than it stored

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
// the buffer its bytes lie, so at most one send from such a ring may be in flight.
//
// The kernel moves on in a buffer by what a completion says, so three kinds of receives cannot be accounted for and are
// refused with unix.EINVAL where Prep knows the group. With MSG_TRUNC the result is a datagram's length, stored or not:
// bytes would be handed out that were never written, and then those of another datagram. With MSG_WAITALL kernel 6.18
// counts only the last part of what comes in several, and writes over the others later. Multishot recvmsg ends with
// EFAULT at each try once the rest of a buffer is shorter than the message's fixed parts. Where such a receive was
// prepared before the ring was made, Consume gives an error for the completion that says more than its buffer holds,
// and for all that follow until Reset.
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
		if o == nil {
			return nil, errNilOption
		}
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
	r.slots.provided(g.id, provision{size: size, incremental: cfg.flags&cring.PbufRingInc != 0})
	return &BufRing{
		group: g, flags: cfg.flags, size: size, stride: stride, bufs: make([]provided, entries),
		mem: g.buffers.bytes,
	}, nil
}

// Group returns the group id, for SQE.BufferSelect and PrepSendBundle.
func (b *BufRing) Group() uint16 {
	if b.group == nil { // of the zero BufRing
		return 0
	}
	return b.group.id
}

// Entries returns how many buffers there are.
func (b *BufRing) Entries() int { return len(b.bufs) }

// Size returns the size of each buffer in bytes.
func (b *BufRing) Size() int { return b.size }

// Lent returns how many buffers are the kernel's: added, and neither consumed nor withdrawn.
func (b *BufRing) Lent() int {
	if b.group == nil || !b.group.ring.readable() {
		return 0
	}
	return b.lent - b.settled()
}

// Buffer returns the memory of a buffer that the application owns. The slice must not be used any more once the
// buffer was added, until it is consumed or withdrawn. The error is ErrBufferOwned where the kernel has it.
func (b *BufRing) Buffer(id uint16) ([]byte, error) {
	if err := b.usable(); err != nil {
		return nil, err
	}
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
	if err := b.usable(); err != nil {
		return nil, err
	}
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
	if err := b.usable(); err != nil {
		return err
	}
	return b.add(id, n)
}

// add is Add for who has asked whether the ring is usable.
func (b *BufRing) add(id uint16, n int) error {
	b.unfold()
	if b.group.closed() || int(id) >= len(b.group.entries) || b.bufs[id].lent || n <= 0 || n > b.size {
		return b.refusal(Piece{Buffer: id, Len: n})
	}
	b.lend(id, 0, n)
	return nil
}

// AddPiece is Add for a part of a buffer, such as the unsent rest of one.
func (b *BufRing) AddPiece(p Piece) error {
	if err := b.usable(); err != nil {
		return err
	}
	b.unfold()
	if b.group.closed() || int(p.Buffer) >= len(b.group.entries) || b.bufs[p.Buffer].lent ||
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
	if err := b.usable(); err != nil {
		return err
	}
	switch {
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
	if b.usable() != nil {
		return 0
	}
	return b.group.publish()
}

// Recycle gives a whole buffer back to the kernel: Add and Publish in one, as a receiver does with each buffer it
// has read.
func (b *BufRing) Recycle(id uint16) error {
	if err := b.usable(); err != nil {
		return err
	}
	if err := b.add(id, b.size); err != nil {
		return err
	}
	b.group.publish()
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
	b.astray = false
	b.group.rewind(0)
	return b.group.register(b.flags)
}

// Close unregisters the ring and frees its buffers: no slice of them may be used any more. The error is unix.EBUSY
// where a request of the group is queued or in flight; then nothing was freed. Close of the Ring closes its
// BufRings too.
func (b *BufRing) Close() error {
	switch err := b.usable(); {
	case errors.Is(err, ErrNotOwner):
		return err
	case b.group.closed():
		return nil
	}
	if err := b.idle("close"); err != nil {
		return err
	}
	return b.group.close()
}

// usable returns nil where the calling thread may use the ring.
func (b *BufRing) usable() error {
	if b.group == nil { // of the zero BufRing
		return ErrClosed
	}
	if err := b.group.ring.owned(); err != nil {
		return err
	}
	if b.group.closed() {
		return ErrClosed
	}
	return nil
}

// idle returns nil where no request can take or hold a buffer of the group.
func (b *BufRing) idle(what string) error {
	if err := b.usable(); err != nil {
		return err
	}
	return b.group.busy(what)
}

// run is buffers of consecutive ids and equal length that AddRange gave to the kernel while it had no others. A
// bundle that sends all of them is how a busy sender spends its time, and then nothing has to be written down of
// each buffer: they went as a whole, and come back as a whole. In every other case unfold writes it down after
// all.
type run struct {
	first uint16
	count uint16
	len   uint32
	pos   uint32 // of the first in the ring
}

// bytes is what all buffers of the run hold.
func (r run) bytes() int { return int(r.count) * int(r.len) }

// addRun gives the buffers of a run to the kernel. Where the ring's entries say the same already, from the last
// time that the run came this way round, they are left as they are.
func (b *BufRing) addRun(r run) {
	g := b.group
	mask := uint32(len(g.entries) - 1)
	same := r
	same.pos &= mask
	if same == b.laid {
		g.staged += uint32(r.count)
	} else {
		for i := range r.count {
			id := r.first + i
			g.stage(unsafe.Pointer(&b.mem[int(id)*b.stride]), r.len, id) // SAFETY: as in lend.
		}
	}
	b.detect(r, lendBytes)
	b.run, b.laid, b.left = r, same, 0
	b.lent = int(r.count)
}

// unfold notes each buffer of the run by itself, and accounts for those that completions have spoken of.
func (b *BufRing) unfold() {
	if b.run.count == 0 {
		return
	}
	r, sent := b.run, b.left
	b.run, b.laid, b.left = run{}, run{}, 0
	for i := range r.count {
		b.note(r.first+i, 0, int(r.len), r.pos+uint32(i))
	}
	for i := 0; sent > 0; i++ {
		n := min(sent, int(r.len))
		sent -= n
		b.took(&Piece{Buffer: r.first + uint16(i)}, &b.bufs[int(r.first)+i], n)
	}
}

// Settle accounts for a completion of a bundle as Consume does, without naming the buffers. It reports whether
// everything that was added has left and nothing more is to come of the operation; then all buffers are the
// application's. Where that went by AddRange, a bundle is accounted for at the cost of a single buffer.
//
// Where the last completion of the bundle came and all is false, some is unsent: what Withdraw finds, and before that
// the rest of a buffer that left in part, which is told by the bytes that were sent.
func (b *BufRing) Settle(c CQE) (all bool, err error) {
	if err := b.usable(); err != nil {
		return false, err
	}
	if b.run.count > 0 && b.ofRun(c) {
		b.left += int(c.Res)
		if c.More() {
			return false, nil
		}
		if b.left == b.run.bytes() && b.group.staged == b.group.tail {
			b.regainRun()
			return true, nil
		}
		b.unfold()
		b.forget(c)
		return false, nil
	}
	b.unfold()
	b.scratch, err = b.consume(c, b.scratch[:0])
	all = err == nil && b.lent == 0 && !b.partial && !c.More()
	b.forget(c)
	return all, err
}

// forget ends the account of a bundle with its last completion.
func (b *BufRing) forget(c CQE) {
	if !c.More() {
		b.partial = false
	}
}

// settled is how many buffers of the run completions have spoken of: the application's, though lent counts them yet.
func (b *BufRing) settled() int {
	if b.run.count == 0 {
		return 0
	}
	return (b.left + int(b.run.len) - 1) / int(b.run.len)
}

// ofRun reports whether a completion goes on where the last one of the run has ended, within the run.
func (b *BufRing) ofRun(c CQE) bool {
	id, ok := c.Buffer()
	return ok && c.bundle && c.Res > 0 && c.group == b.group.serial &&
		int(id) == int(b.run.first)+b.left/int(b.run.len) && b.left%int(b.run.len) == 0 &&
		int(c.Res) <= b.run.bytes()-b.left
}

// regainRun makes all buffers of the run the application's.
func (b *BufRing) regainRun() {
	b.detect(b.run, regainBytes)
	b.run, b.lent, b.left = run{}, 0, 0
}

// detect tells the detectors, where one listens, what becomes of the memory of a run.
func (b *BufRing) detect(r run, tell func(p unsafe.Pointer, n int)) {
	if !race.Enabled && !cring.AsanEnabled {
		return
	}
	for i := range r.count {
		tell(unsafe.Pointer(&b.mem[(int(r.first)+int(i))*b.stride]), int(r.len)) // SAFETY: only the address is used.
	}
}

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
	if err := b.usable(); err != nil {
		return dst, err
	}
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
	if b.flags&cring.PbufRingInc != 0 && !c.bundle && int64(c.Res) > int64(b.bufs[id].len) {
		b.astray = true
		return dst, b.lost()
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
		b.astray = b.flags&cring.PbufRingInc != 0
		return dst, fmt.Errorf("uring: completion of %d bytes, %d more than its buffers hold: %w",
			c.Res, left, unix.EINVAL)
	}
	return dst, nil
}

// lost is the error of an incremental ring whose kernel is no longer where the completions say.
func (b *BufRing) lost() error {
	return fmt.Errorf("uring: buffer group %d: the kernel moved on by more than it stored (MSG_TRUNC?); Reset it: %w",
		b.group.id, unix.EINVAL)
}

// accountable returns nil where c can be of this group, and id a buffer that it took. Error completions may also
// name buffers that they did not take: that is no error, and nothing is to be accounted.
func (b *BufRing) accountable(c CQE, id uint16) error {
	switch {
	case b.group.closed():
		return ErrClosed
	case b.astray:
		return b.lost()
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
	if b.astray {
		return dst, b.lost()
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
