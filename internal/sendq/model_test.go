package sendq

import (
	"bytes"
	"errors"
	"slices"

	"github.com/stretchr/testify/require"
)

// model says what a queue should be like.
type model struct {
	id       byte
	q        *Queue
	stream   []byte // all bytes accepted
	ends     []int  // of the messages in stream
	sent     int    // how many of stream left
	taken    bool
	inFlight []byte   // what was taken and has not left, as the stream has it
	pieces   [][]byte // the same as the queue's memory
	reserved []byte
	handed   []*handed
	failed   error
}

// handed is a buffer that was handed over.
type handed struct {
	at       int // where it begins in the stream
	p        []byte
	released bool
}

// message returns the next n bytes that a stream would accept, no two places of it alike for long.
func (m *model) message(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		at := len(m.stream) + i
		p[i] = byte(at*31+at>>8) ^ m.id<<7
	}
	return p
}

// accept notes that p became a message.
func (m *model) accept(p []byte) {
	if len(p) > 0 {
		m.stream = append(m.stream, p...)
		m.ends = append(m.ends, len(m.stream))
	}
}

// refusal returns the error that a message of n bytes should meet, apart from a full slab.
func (m *model) refusal(n int) error {
	switch {
	case m.failed != nil:
		return m.failed
	case m.reserved != nil:
		return ErrReserved
	case n > m.q.limit:
		return ErrTooLong
	case n > m.q.limit-m.buffered():
		return ErrLimit
	}
	return nil
}

func (m *model) buffered() int {
	if m.failed != nil {
		return 0
	}
	return len(m.stream) - m.sent
}

// slabCannotHold reports whether the slab lacks the chunks for n bytes that are copied in, or for n bytes
// in one piece.
func (m *model) slabCannotHold(n int, onePiece bool) bool {
	room, size, limit := len(m.q.mem)-m.q.offset, m.q.slab.ChunkSize(), m.q.slab.options.Limit
	if limit == 0 || n <= room {
		return false
	}
	if onePiece {
		room = 0
	}
	return (n-room+size-1)/size > limit/size-m.q.slab.stats.Out
}

// expect holds the error of a call that copies n bytes in against what it should be, and reports whether
// the bytes were accepted.
func (m *model) expect(d driver, err error, n int, full bool) bool {
	want := m.refusal(n)
	if want == nil && full {
		want = ErrSlabFull
	}
	require.ErrorIs(d, err, want)
	return err == nil
}

// drawLength returns the length of a message: often one that shares a chunk with others.
func drawLength(d driver) int {
	return d.between("length", 0, oneOf(d, "up to", 5, 5, 80))
}

func (m *model) write(d driver) {
	p := m.message(drawLength(d))
	full := m.slabCannotHold(len(p), false)
	written := slices.Clone(p)
	err := m.q.Write(written)
	clear(written) // the caller's again
	if m.expect(d, err, len(p), full) {
		m.accept(p)
	}
}

func (m *model) writev(d driver) {
	p := m.message(drawLength(d))
	full := m.slabCannotHold(len(p), false)
	written := slices.Clone(p)
	var bufs [][]byte
	for rest := written; len(rest) > 0; {
		n := d.between("buffer", 1, len(rest))
		bufs, rest = append(bufs, rest[:n], nil), rest[n:]
	}
	err := m.q.Writev(bufs)
	clear(written)
	if m.expect(d, err, len(p), full) {
		m.accept(p)
	}
}

func (m *model) reserve(d driver) {
	n := d.between("length", 1, m.q.slab.ChunkSize())
	full := m.slabCannotHold(n, true)
	p, err := m.q.Reserve(n)
	if m.expect(d, err, n, full) {
		require.Len(d, p, n)
		require.Equal(d, n, cap(p))
		m.reserved = p
	}
}

func (m *model) commit(d driver) {
	if m.reserved == nil {
		require.ErrorIs(d, m.q.Commit(1), ErrNotReserved)
		return
	}
	n := d.between("length", 0, len(m.reserved))
	p := m.message(n)
	copy(m.reserved, p)
	m.reserved = nil
	require.ErrorIs(d, m.q.Commit(n), m.failed)
	if m.failed == nil {
		m.accept(p)
	}
}

func (m *model) handOver(d driver) {
	p := m.message(drawLength(d))
	h := &handed{at: len(m.stream), p: p}
	writesBack := d.between("release writes", 0, 1) == 1
	err := m.q.HandOver(p, func(sent int, err error) {
		m.release(d, h, sent, err)
		if writesBack {
			m.write(d)
		}
	})
	if !m.expect(d, err, len(p), false) {
		require.False(d, h.released)
		return
	}
	m.accept(p)
	if len(p) > 0 {
		m.handed = append(m.handed, h)
	} else {
		require.True(d, h.released)
	}
}

// release is called when the queue lets go of h.
func (m *model) release(d driver, h *handed, sent int, err error) {
	require.False(d, h.released, "released twice")
	for _, other := range m.handed {
		require.True(d, len(h.p) == 0 || other.at >= h.at || other.released, "released out of order")
	}
	h.released = true
	require.Equal(d, min(max(m.sent-h.at, 0), len(h.p)), sent)
	if sent < len(h.p) {
		require.NotNil(d, m.failed, "released early")
	}
	if sent < len(h.p) || m.failed != nil {
		require.ErrorIs(d, err, m.failed)
	}
	if h.at < len(m.stream) {
		requireBytes(d, m.stream[h.at:h.at+len(h.p)], h.p)
	}
}

func (m *model) take(d driver) {
	maxSegments := oneOf(d, "segments", 1, 2, 5, 256)
	maxBytes := oneOf(d, "bytes", 1, 7, 40, 1000)
	pieces, err := m.q.Take(nil, maxSegments, maxBytes)
	if m.failed != nil || m.taken {
		require.Empty(d, pieces)
		require.Error(d, err)
		return
	}
	require.NoError(d, err)
	got := slices.Concat(pieces...)
	require.LessOrEqual(d, len(pieces), maxSegments)
	require.LessOrEqual(d, len(got), maxBytes)
	if len(pieces) < maxSegments {
		require.Len(d, got, min(maxBytes, m.buffered()), "took less than it could")
	}
	requireBytes(d, m.stream[m.sent:m.sent+len(got)], got)
	m.taken = len(got) > 0
	m.pieces, m.inFlight = pieces, got
}

func (m *model) sendSome(d driver) {
	all := len(m.inFlight)
	n := oneOf(d, "bytes", all, all, d.between("other bytes", 0, all+1))
	if n > all {
		require.ErrorIs(d, m.q.Sent(n), ErrOverrun)
		return
	}
	m.send(d, n)
}

// send lets n bytes of what is in flight leave.
func (m *model) send(d driver, n int) {
	m.sent += n
	m.inFlight = m.inFlight[n:]
	for rest := n; rest > 0; {
		step := min(rest, len(m.pieces[0]))
		rest -= step
		if m.pieces[0] = m.pieces[0][step:]; len(m.pieces[0]) == 0 {
			m.pieces = m.pieces[1:]
		}
	}
	require.NoError(d, m.q.Sent(n))
}

func (m *model) settle(driver) {
	m.taken, m.inFlight, m.pieces = false, nil, nil
	m.q.Settle()
}

func (m *model) fail(d driver) {
	// A failed queue tests little, so most runs should come here late or never. Random numbers tend low.
	if d.between("fail", 0, 9) != 9 {
		return
	}
	cause := errors.New("cause")
	if m.taken {
		_, err := m.q.Fail(cause)
		require.ErrorIs(d, err, ErrInFlight)
		return
	}
	want := m.loss()
	if m.failed == nil {
		m.failed = cause
	}
	loss, err := m.q.Fail(cause)
	require.NoError(d, err)
	require.Equal(d, want, loss)
}

// loss returns what failing would lose now.
func (m *model) loss() Loss {
	if m.failed != nil {
		return Loss{}
	}
	messages, partial := m.progress()
	return Loss{Messages: len(m.ends) - messages, Bytes: m.buffered(), Partial: partial}
}

func (m *model) progress() (messages, partial int) {
	partial = m.sent
	for _, end := range m.ends {
		if end <= m.sent {
			messages, partial = messages+1, m.sent-end
		}
	}
	return messages, partial
}

func (m *model) check(d driver) {
	q := m.q
	require.Equal(d, uint64(len(m.stream)), q.Accepted())
	require.Equal(d, uint64(m.sent), q.SentTotal())
	require.Equal(d, m.buffered(), q.Buffered())
	require.Equal(d, len(m.inFlight), q.InFlight())
	require.Equal(d, m.buffered()-len(m.inFlight), q.Pending())
	require.ErrorIs(d, q.Err(), m.failed)

	wantMessages, wantPartial := m.progress()
	messages, partial := q.Progress()
	require.Equal(d, uint64(wantMessages), messages)
	require.Equal(d, wantPartial, partial)
	require.Equal(d, m.loss().Messages, q.MessagesQueued())

	// What the kernel would read now.
	requireBytes(d, m.inFlight, slices.Concat(m.pieces...))
	for _, h := range m.handed {
		require.Equal(d, m.failed != nil || h.at+len(h.p) <= m.sent, h.released)
	}
}

// requireBytes compares what two slices hold; nil and empty are alike.
func requireBytes(d driver, want, got []byte) {
	require.True(d, bytes.Equal(want, got), "want %x\ngot  %x", want, got)
}

// end sends what is left, or fails the queue, and finds nothing held.
func (m *model) end(d driver) {
	m.settle(d)
	if m.reserved != nil {
		m.commit(d)
	}
	if d.between("fail at the end", 0, 1) == 1 {
		want := m.loss()
		if m.failed == nil {
			m.failed = errors.New("end")
		}
		loss, err := m.q.Fail(m.failed)
		require.NoError(d, err)
		require.Equal(d, want, loss)
	}
	for m.buffered() > 0 {
		m.take(d)
		m.send(d, len(m.inFlight))
		m.settle(d)
		m.check(d)
	}
	m.check(d)
	require.Empty(d, m.q.chunks())
}
