package uring

import (
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
)

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
