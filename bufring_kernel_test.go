//go:build linux

package uring

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// TestOutOfBuffers is fault 46: with no buffer left a receive ends, and goes on without loss with the first one
// returned.
func TestOutOfBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 8)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 8))
	b.Publish()
	want := make([]byte, 24)
	fillStream(want, 0)
	_, err := unix.Write(tx, want)
	require.NoError(t, err)

	var got []byte
	var pieces []Piece
	armed := false
	for len(got) < len(want) {
		if !armed {
			queueRecv(t, r, rx, b, multishot)
			armed = true
		}
		for _, c := range wait(t, r, 1) {
			armed = c.More()
			if c.Res < 0 {
				require.ErrorIs(t, c.Err(), unix.ENOBUFS)
				require.Zero(t, b.Lent())
				require.NoError(t, b.Recycle(pieces[0].Buffer))
				pieces = pieces[1:]
				continue
			}
			pieces, err = b.Consume(c, pieces)
			require.NoError(t, err)
			data, err := b.Data(pieces[len(pieces)-1])
			require.NoError(t, err)
			got = append(got, data...)
		}
	}
	require.Equal(t, want, got)
}

// TestCompletionsOutOfOrder has a request hold its buffers while others go round the ring many times: what Consume
// says of each is what the receiver got.
func TestCompletionsOutOfOrder(t *testing.T) {
	for name, ioprio := range map[string]uint16{"a single send": 0, "a bundle": bundled} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			needs(t, CanSendBundle)
			b := newTestBufRing(t, r, 4, 4000)
			stuckTx, stuckRx := testutil.SocketPair(t, "unix")
			tx, rx := testutil.SocketPair(t, "unix")
			jammed := jam(t, stuckTx)

			contents := map[uint16][]byte{}
			add := func(id uint16, n int) {
				p, err := b.Buffer(id)
				require.NoError(t, err)
				fillStream(p[:n], int(id)<<16+n)
				contents[id] = append([]byte(nil), p[:n]...)
				require.NoError(t, b.Add(id, n))
				b.Publish()
			}
			consume := func(c CQE) (all []byte, first uint16) {
				pieces, err := b.Consume(c, nil)
				require.NoError(t, err)
				for _, p := range pieces {
					require.Equal(t, len(contents[p.Buffer]), p.Len)
					all = append(all, contents[p.Buffer]...)
				}
				return all, pieces[0].Buffer
			}
			add(2, 1500)
			add(0, 700)
			stuck := transfer{op: cring.OpSend, fd: stuckTx, group: b.Group(), ioprio: ioprio}.queue(t, r)
			require.Empty(t, settle(t, r))

			free := uint16(1)
			for i := range 12 {
				add(free, 1000+i)
				id := transfer{op: cring.OpSend, fd: tx, group: b.Group()}.queue(t, r)
				c := finish(t, r, id)[0]
				var want []byte
				want, free = consume(c)
				require.Equal(t, want, readAll(t, rx, int(c.Res)))
			}

			require.Len(t, readAll(t, stuckRx, jammed), jammed)
			for _, c := range finish(t, r, stuck) {
				want, _ := consume(c)
				require.Equal(t, want, readAll(t, stuckRx, int(c.Res)))
			}
		})
	}
}

// jam fills a socket until it takes nothing more, and returns the number of bytes in it.
func jam(t testing.TB, fd int) int {
	t.Helper()
	narrow(t, fd)
	for all, p := 0, make([]byte, 1000); ; {
		n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return all
		}
		require.NoError(t, err)
		all += n
	}
}

// TestBundleReceiveSpansTheWrap is fault 53: a bundle across the end of the ring, with short and shuffled buffers.
func TestBundleReceiveSpansTheWrap(t *testing.T) {
	r := newTestRing(t, 4)
	needs(t, CanSendBundle)
	b := newTestBufRing(t, r, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	sent := 0
	for round, ids := range [][]uint16{{3, 1, 0}, {2, 3, 1}, {0, 2, 3}, {1, 0, 2}} {
		sizes, sum := []int{100, 7, 50}, 130
		for i, id := range ids {
			require.NoError(t, b.Add(id, sizes[i]))
		}
		b.Publish()
		want := make([]byte, sum)
		fillStream(want, sent)
		sent += sum
		_, err := unix.Write(tx, want)
		require.NoError(t, err)
		// Kernels judge by the first buffer how many they need, so there may be more than one bundle.
		var got []byte
		var pieces []Piece
		for len(got) < sum {
			before := len(pieces)
			pieces, err = b.Consume(finish(t, r, queueRecv(t, r, rx, b, bundled))[0], pieces)
			require.NoError(t, err)
			for _, p := range pieces[before:] {
				data, err := b.Data(p)
				require.NoError(t, err)
				got = append(got, data...)
			}
		}
		require.Equal(t, want, got)
		require.Equal(t, []Piece{
			{Buffer: ids[0], Len: 100}, {Buffer: ids[1], Len: 7}, {Buffer: ids[2], Len: 23, Left: 27},
		}, pieces, "round %d", round)
		require.Zero(t, b.Lent())
	}
}

// TestConsumeAfterAShortenedEntry has a bundle with a limit end without the buffer whose entry it shortened.
// Kernels that leave the entry so (liburing's test recv-bundle-buf-len.c) and those that do not are both accounted
// to the byte.
func TestConsumeAfterAShortenedEntry(t *testing.T) {
	const limit = 32
	shorten := map[string]func(*Ring, *BufRing, int){
		"by the kernel, if it does": func(r *Ring, b *BufRing, rx int) {
			id := transfer{op: cring.OpRecv, fd: rx, group: b.Group(), len: limit, ioprio: bundled}.queue(t, r)
			require.Empty(t, settle(t, r))
			queueCancel(t, r, id)
			require.ErrorIs(t, finish(t, r, id)[0].Err(), unix.ECANCELED)
			t.Logf("the entry of 100 bytes has %d now", b.group.entry(0).Len)
		},
		"by hand": func(_ *Ring, b *BufRing, _ int) { b.group.entry(0).Len = limit },
	}
	for name, f := range shorten {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 4)
			needs(t, CanSendBundle)
			b := newTestBufRing(t, r, 4, 100)
			tx, rx := testutil.SocketPair(t, "unix")
			require.NoError(t, b.AddRange(0, 4, 100))
			b.Publish()
			f(r, b, rx)

			want := make([]byte, 250)
			fillStream(want, 0)
			_, err := unix.Write(tx, want)
			require.NoError(t, err)
			var got []byte
			for len(got) < len(want) {
				pieces, err := b.Consume(finish(t, r, queueRecv(t, r, rx, b, bundled))[0], nil)
				require.NoError(t, err)
				for _, p := range pieces {
					data, err := b.Data(p)
					require.NoError(t, err)
					got = append(got, data...)
				}
			}
			require.Equal(t, want, got)
		})
	}
}

// TestReceiversAreServedInTurn is fault 54: a flood on one connection does not keep another's byte waiting. The loud
// one gets no further than its buffers go before the other has its turn, and it is fed again until then.
func TestReceiversAreServedInTurn(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	const room = 64
	r := newTestRing(t, 8, WithCQEntries(4096))
	fed, other := newTestBufRing(t, r, room, 1), newTestBufRing(t, r, room, 1)
	for _, b := range []*BufRing{fed, other} {
		require.NoError(t, b.AddRange(0, room, 1))
		b.Publish()
	}
	loudTx, loudRx := testutil.SocketPair(t, "unix")
	quietTx, quietRx := testutil.SocketPair(t, "unix")
	loud, quiet := OpID(0), queueRecv(t, r, quietRx, other, multishot)
	for range 20 {
		_, err := unix.Write(quietTx, []byte{1})
		require.NoError(t, err)
		for before, served := 0, false; !served; {
			_, err := unix.SendmsgN(loudTx, make([]byte, 2*room), nil, nil, unix.MSG_DONTWAIT)
			if err != unix.EAGAIN { // as much as it can have
				require.NoError(t, err)
			}
			if loud == 0 {
				loud = queueRecv(t, r, loudRx, fed, multishot)
			}
			for _, c := range wait(t, r, 1) {
				from := map[OpID]*BufRing{loud: fed, quiet: other}[c.ID]
				pieces, err := from.Consume(c, nil)
				require.NoError(t, err)
				for _, p := range pieces {
					require.NoError(t, from.Recycle(p.Buffer))
				}
				switch {
				case c.ID == loud && !c.More():
					loud = 0
				case c.ID == loud:
					before++
				default:
					require.EqualValues(t, 1, c.Res)
					require.True(t, c.More())
					served = true
				}
			}
			require.LessOrEqual(t, before, 3*room, "the quiet one waits for the end of the flood")
		}
	}
}

// TestIncrementalReceiveCancelledMidway is fault 52: bytes are accounted exactly, and the buffer comes back once.
func TestIncrementalReceiveCancelledMidway(t *testing.T) { // SPEC E30
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 1000, WithIncremental())
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 1000))
	b.Publish()
	id := queueRecv(t, r, rx, b, multishot)
	for _, want := range []Piece{
		{Buffer: 0, More: true, Len: 400},
		{Buffer: 0, More: true, Off: 400, Len: 500},
		{Buffer: 0, Off: 900, Len: 100},
		{Buffer: 1, More: true, Len: 50},
	} {
		p := make([]byte, want.Len)
		fillStream(p, want.Off)
		_, err := unix.Write(tx, p)
		require.NoError(t, err)
		pieces, err := b.Consume(wait(t, r, 1)[0], nil)
		require.NoError(t, err)
		require.Equal(t, []Piece{want}, pieces)
		data, err := b.Data(want)
		require.NoError(t, err, "what was received may be read while the kernel has the rest")
		require.Equal(t, p, data)
	}
	_, err := b.Data(Piece{Buffer: 1, Len: 51})
	require.ErrorIs(t, err, ErrBufferOwned)
	require.Equal(t, 1, b.Lent())

	queueCancel(t, r, id)
	last := finish(t, r, id)
	require.ErrorIs(t, last[0].Err(), unix.ECANCELED)
	pieces, err := b.Consume(last[0], nil)
	require.NoError(t, err)
	require.Empty(t, pieces)
	pieces, err = b.Withdraw(nil)
	require.NoError(t, err)
	require.Equal(t, []Piece{{Buffer: 1, Off: 50, Len: 950}}, pieces)
	require.Zero(t, b.Lent())
	require.NoError(t, b.AddPiece(pieces[0]))
}

// TestInvalidAddressInARing is fault 42, which needs a hand in the ring: the library adds its own memory only.
func TestInvalidAddressInARing(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 64)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.Add(0, 64))
	b.group.entry(0).Addr = 8
	b.Publish()
	_, err := unix.Write(tx, []byte("x"))
	require.NoError(t, err)
	c := finish(t, r, queueRecv(t, r, rx, b, 0))[0]
	require.ErrorIs(t, c.Err(), unix.EFAULT)
	_, err = b.Consume(c, nil)
	require.NoError(t, err)
	require.NoError(t, b.Reset())
	require.Zero(t, b.Lent())
}

// end is one side of a streamed test: a buffer ring, and how the requests use it.
type end struct {
	entries, size int
	incremental   bool
	ioprio        uint16
	flags         int // MSG_
}

func (e end) open(t *testing.T, r *Ring) *BufRing {
	if e.ioprio&cring.RecvSendBundle != 0 {
		needs(t, CanSendBundle)
	}
	if e.incremental {
		return newTestBufRing(t, r, e.entries, e.size, WithIncremental())
	}
	return newTestBufRing(t, r, e.entries, e.size)
}

// ownership is what a test knows of a buffer ring's buffers: who has which.
type ownership struct {
	t    testing.TB
	b    *BufRing
	mine []bool
	n    int
}

func newOwnership(t testing.TB, b *BufRing) *ownership {
	o := &ownership{t: t, b: b, mine: make([]bool, b.Entries()), n: b.Entries()}
	for i := range o.mine {
		o.mine[i] = true
	}
	return o
}

func (o *ownership) give(p Piece) {
	if err := o.b.AddPiece(p); err != nil || !o.mine[p.Buffer] {
		o.t.Fatalf("adding %+v, mine: %v: %v", p, o.mine[p.Buffer], err)
	}
	o.mine[p.Buffer] = false
	o.n--
	o.conserved()
}

func (o *ownership) take(id uint16) {
	if o.mine[id] {
		o.t.Fatalf("buffer %d came back twice", id)
	}
	o.mine[id] = true
	o.n++
}

// conserved checks that every buffer has one owner.
func (o *ownership) conserved() {
	if o.b.Lent()+o.n != o.b.Entries() {
		o.t.Fatalf("the kernel has %d buffers and the application %d, of %d", o.b.Lent(), o.n, o.b.Entries())
	}
}

// stream sends total bytes from one buffer ring and receives them into another, at most one send in flight.
type stream struct {
	t        *testing.T
	r        *Ring
	fd       [2]int
	from, to *ownership
	out, in  end
	rng      *rand.Rand

	unsent         []Piece // in order; to be published before anything new
	total, filled  int
	received       int
	sending        bool
	receiving      bool
	outSum, inSum  hash.Hash
	sendID, recvID OpID
	added          [2]int // buffers given to the kernel, by side
}

func newStream(t *testing.T, network string, out, in end, total int) *stream {
	r := newTestRing(t, 8, WithCQEntries(1024))
	s := &stream{
		t: t, r: r, out: out, in: in, total: total, outSum: sha256.New(), inSum: sha256.New(),
		rng: rand.New(rand.NewPCG(uint64(out.entries), uint64(in.entries))),
	}
	s.fd[0], s.fd[1] = testutil.SocketPair(t, network)
	narrow(t, s.fd[0])
	s.from, s.to = newOwnership(t, out.open(t, r)), newOwnership(t, in.open(t, r))
	for id := range uint16(in.entries) {
		s.recycle(id)
	}
	return s
}

func (s *stream) run() {
	for s.received < s.total {
		if !s.sending {
			s.refill()
		}
		if !s.sending && s.from.b.Lent() > 0 {
			s.sendID = transfer{
				op: cring.OpSend, fd: s.fd[0], group: s.from.b.Group(), flags: s.out.flags, ioprio: s.out.ioprio,
			}.queue(s.t, s.r)
			s.sending = true
		}
		if !s.receiving {
			s.recvID = transfer{
				op: cring.OpRecv, fd: s.fd[1], group: s.to.b.Group(), flags: s.in.flags, ioprio: s.in.ioprio,
			}.queue(s.t, s.r)
			s.receiving = true
		}
		for _, c := range wait(s.t, s.r, 1) {
			switch c.ID {
			case s.sendID:
				s.sent(c)
			case s.recvID:
				s.got(c)
			}
		}
		s.from.conserved()
		s.to.conserved()
	}
	require.Equal(s.t, s.total, s.received)
	require.Equal(s.t, s.outSum.Sum(nil), s.inSum.Sum(nil))
}

// refill publishes what is unsent, then fills as many buffers as it has.
func (s *stream) refill() {
	for _, p := range s.unsent {
		s.from.give(p)
		s.added[0]++
	}
	s.unsent = s.unsent[:0]
	for id := 0; id < s.out.entries && s.filled < s.total; id++ {
		if !s.from.mine[id] {
			continue
		}
		n := min(1+s.rng.IntN(s.out.size), s.total-s.filled)
		p, err := s.from.b.Buffer(uint16(id))
		require.NoError(s.t, err)
		fillStream(p[:n], s.filled)
		s.outSum.Write(p[:n])
		s.filled += n
		s.from.give(Piece{Buffer: uint16(id), Len: n})
		s.added[0]++
	}
	s.from.b.Publish()
}

// sent accounts a completion of the send. What it left is collected, to go first.
func (s *stream) sent(c CQE) {
	if c.Res < 0 {
		require.ErrorIs(s.t, c.Err(), unix.EAGAIN)
	}
	pieces, err := s.from.b.Consume(c, nil)
	require.NoError(s.t, err)
	n := 0
	for i, p := range pieces {
		n += p.Len
		if p.More {
			continue
		}
		s.from.take(p.Buffer)
		if p.Left > 0 {
			require.Equal(s.t, len(pieces)-1, i, "only the last buffer may be sent in part")
			s.unsent = append(s.unsent, p.Rest())
		}
	}
	require.Equal(s.t, max(int(c.Res), 0), n)
	if c.More() {
		return
	}
	s.sending = false
	if s.from.b.Lent() == 0 || len(s.unsent) == 0 && s.out.ioprio&cring.RecvSendBundle == 0 {
		return // single sends that went well leave the next buffers to the next
	}
	rest, err := s.from.b.Withdraw(nil)
	require.NoError(s.t, err)
	for _, p := range rest {
		s.from.take(p.Buffer)
		s.unsent = append(s.unsent, p)
	}
}

// got checks received bytes and gives their buffers back.
func (s *stream) got(c CQE) {
	s.receiving = c.More()
	if c.Res < 0 {
		require.ErrorIs(s.t, c.Err(), unix.ENOBUFS)
	}
	pieces, err := s.to.b.Consume(c, nil)
	require.NoError(s.t, err)
	for _, p := range pieces {
		data, err := s.to.b.Data(p)
		if err != nil {
			s.t.Fatal(err)
		}
		s.inSum.Write(data)
		s.received += len(data)
		if !p.More {
			s.to.take(p.Buffer)
		}
	}
	for _, p := range pieces {
		if !p.More {
			s.recycle(p.Buffer)
		}
	}
}

func (s *stream) recycle(id uint16) {
	s.to.give(Piece{Buffer: id, Len: s.in.size})
	s.added[1]++
	s.to.b.Publish()
}

const (
	bundled   = cring.RecvSendBundle
	multishot = cring.RecvMultishot
)

// TestBufRingStreams sends a hashed stream through buffer rings of all sizes and kinds. Every byte arrives once and
// in order, and every buffer has one owner at any time. Faults 46, 50, 52, 53.
func TestBufRingStreams(t *testing.T) {
	const short = unix.MSG_DONTWAIT
	classic := func(entries, size int, ioprio uint16, flags int) end {
		return end{entries: entries, size: size, ioprio: ioprio, flags: flags}
	}
	incremental := func(entries, size int, ioprio uint16, flags int) end {
		return end{entries: entries, size: size, ioprio: ioprio, flags: flags, incremental: true}
	}
	const both = multishot | bundled
	tests := []struct {
		name    string
		network string
		out, in end
		total   int
		wraps   bool // the 16-bit positions of both rings wrap, which takes long
	}{
		{"one buffer", "unix", classic(1, 100, 0, 0), classic(1, 64, 0, 0), 20000, false},
		{"one buffer, bundles", "tcp4", classic(1, 100, bundled, 0), classic(1, 64, bundled, 0), 20000, false},
		{"two buffers", "tcp4", classic(2, 700, bundled, short), classic(2, 512, multishot, 0), 100000, false},
		{"four buffers", "unix", classic(4, 64, 0, short), classic(4, 1000, both, 0), 100000, false},
		{"256 buffers", "tcp4", classic(256, 64, bundled, 0), classic(256, 64, both, 0), 5 << 20, true},
		{"small receives", "unix", classic(256, 16, bundled, 0), classic(256, 8, multishot, 0), 5 << 17, true},
		{"short bundles", "tcp4", classic(256, 4096, bundled, short), classic(64, 4096, multishot, 0), 1 << 19, false},
		{"largest rings", "tcp4", classic(32768, 8, bundled, 0), classic(32768, 8, both, 0), 1 << 20, true},
		{"INC bundles", "tcp4", incremental(8, 5000, bundled, 0), classic(64, 512, multishot, 0), 1 << 20, false},
		{"INC short", "unix", incremental(64, 3000, bundled, short), classic(64, 512, multishot, 0), 1 << 20, false},
		{"INC single", "tcp4", incremental(8, 3000, 0, short), classic(64, 512, multishot, 0), 1 << 20, false},
		{"INC receive", "tcp4", classic(64, 100, bundled, 0), incremental(4, 8192, multishot, 0), 1 << 20, false},
		{"INC both", "unix", incremental(64, 700, 0, 0), incremental(4, 1500, both, 0), 1 << 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			needs(t, CanSendSelect)
			testutil.Timeout(t, hangLimit)
			if testing.Short() && tt.name != "small receives" { // one that wraps is enough
				tt.total, tt.wraps = tt.total/8, false
			}
			s := newStream(t, tt.network, tt.out, tt.in, tt.total)
			s.run()
			if tt.wraps {
				require.Greater(t, s.added[0], 1<<16)
				require.Greater(t, s.added[1], 1<<16)
			}
		})
	}
}

// TestOperationsSayWhyTheyGotNoBuffer: by the request, as the errno alone does not tell.
func TestOperationsSayWhyTheyGotNoBuffer(t *testing.T) { // found 4
	needs(t, CanSetup)
	const missing = 4711
	var tx, rx int
	var b *BufRing
	for name, test := range map[string]struct {
		prep  func(s *SQE) error
		empty bool
	}{
		"empty":              {func(s *SQE) error { return s.PrepRecv(rx, nil, 0) }, true},
		"empty, recvmsg":     {func(s *SQE) error { return s.PrepRecvmsg(rx, &Msghdr{Buffers: [][]byte{nil}}, 0) }, true},
		"empty, read":        {func(s *SQE) error { return s.PrepRead(rx, nil, 0) }, true},
		"no group":           {func(s *SQE) error { return s.PrepRecv(rx, nil, 0) }, false},
		"no group, read":     {func(s *SQE) error { return s.PrepRead(rx, nil, 0) }, false},
		"empty, multishot":   {func(s *SQE) error { return s.PrepRecvMultishot(rx, b.Group(), 0) }, true},
		"no group, multshot": {func(s *SQE) error { return s.PrepRecvMultishot(rx, missing, 0) }, false},
		"empty, bundle":      {func(s *SQE) error { return s.PrepSendBundle(tx, b.Group(), 0) }, true},
		"no group, bundle":   {func(s *SQE) error { return s.PrepSendBundle(tx, missing, 0) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			b = newTestBufRing(t, r, 2, 64)
			tx, rx = testutil.SocketPair(t, "unix")
			_, err := unix.Write(tx, []byte("data"))
			require.NoError(t, err)
			s := queued(t, r, test.prep)
			switch {
			case s.raw.IOPrio&cring.RecvMultishot != 0 && s.raw.Opcode == cring.OpRecv && !has(t, CanRecvMultishot),
				s.raw.Opcode == cring.OpSend && !has(t, CanSendBundle):
				_, err := r.SubmitAndWait(context.Background(), 1)
				require.NoError(t, err)
				reapAll(r)
				return // The kernel refuses the operation before it looks for a buffer.
			case test.empty:
				require.NoError(t, s.BufferSelect(b.Group()))
			default:
				require.NoError(t, s.BufferSelect(missing))
			}
			c := finish(t, r, s.ID())[0]
			err = c.Err()
			require.ErrorIs(t, err, unix.Errno(-c.Res), "the kernel's word holds as well")
			if test.empty {
				require.ErrorIs(t, err, ErrNoBuffers)
				require.ErrorIs(t, err, unix.ENOBUFS)
				require.NotErrorIs(t, err, ErrNoBufferGroup)
			} else {
				require.ErrorIs(t, err, ErrNoBufferGroup)
				require.ErrorIs(t, err, unix.ENOENT)
				require.NotErrorIs(t, err, ErrNoBuffers)
			}
			require.Zero(t, testing.AllocsPerRun(100, func() { err = c.Err() }))
		})
	}
}

// TestErrnoOfTheNetworkIsNotForWantOfBuffers.
func TestErrnoOfTheNetworkIsNotForWantOfBuffers(t *testing.T) { // found 4
	for _, c := range []CQE{
		{Res: -int32(unix.ENOBUFS), op: cring.OpSend},
		{Res: -int32(unix.ENOBUFS), op: cring.OpSend, from: fromGroup, Flags: CQEBuffer},
		{Res: -int32(unix.ENOENT), op: cring.OpSend, from: fromGroup},
		{Res: -int32(unix.ECONNRESET), op: cring.OpRecv, from: fromNoGroup},
	} {
		require.NotErrorIs(t, c.Err(), ErrNoBuffers)
		require.NotErrorIs(t, c.Err(), ErrNoBufferGroup)
		require.ErrorIs(t, c.Err(), unix.Errno(-c.Res))
	}
	c := CQE{Res: -int32(unix.ENOBUFS), op: cring.OpRecv, from: fromOthers}
	require.ErrorIs(t, c.Err(), ErrNoBuffers, "C code or PrepProvideBuffers may have made the group")
}

// TestOldProvidedBuffersRunOut: the ring does not know their groups, and does not call them missing.
func TestOldProvidedBuffersRunOut(t *testing.T) { // found 4
	r := newTestRing(t, 4)
	_, rx := testutil.SocketPair(t, "unix")
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	provide := queued(t, r, func(s *SQE) error { return s.PrepProvideBuffers(mem, 4096, 1, 9, 0) })
	require.NoError(t, finish(t, r, provide.ID())[0].Err())
	remove := queued(t, r, func(s *SQE) error { return s.PrepRemoveBuffers(1, 9) })
	require.NoError(t, finish(t, r, remove.ID())[0].Err())
	require.NoError(t, unix.Munmap(mem))
	s := recvOp(t, r, rx, nil)
	require.NoError(t, s.BufferSelect(9))
	require.ErrorIs(t, finish(t, r, s.ID())[0].Err(), ErrNoBuffers)
}

// TestIncrementalRingTakesNoReceiveThatCannotBeAccountedFor (FACTS 45 and 46).
func TestIncrementalRingTakesNoReceiveThatCannotBeAccountedFor(t *testing.T) { // found 5 and 6
	r := newTestRing(t, 16)
	b := newTestBufRing(t, r, 2, 1024, WithIncremental())
	_, rx := testutil.SocketPair(t, "udp4")
	classic := newTestBufRing(t, r, 2, 1024)
	bare := func(flags int) *SQE { return queued(t, r, func(s *SQE) error { return s.PrepRecv(rx, nil, flags) }) }
	next := func() *SQE { s, err := r.SQE(); require.NoError(t, err); return s }
	bundle := bare(unix.MSG_TRUNC)
	require.NoError(t, bundle.BufferSelect(classic.Group()))
	for why, errs := range map[string][]error{
		"MSG_TRUNC": {
			bare(unix.MSG_TRUNC).BufferSelect(b.Group()),
			next().PrepRecvMultishot(rx, b.Group(), unix.MSG_TRUNC),
			next().PrepRecvmsgMultishot(rx, &Msghdr{}, b.Group(), unix.MSG_TRUNC),
			bundle.SetIOPrio(cring.RecvSendBundle),
		},
		"MSG_WAITALL": {bare(unix.MSG_WAITALL).BufferSelect(b.Group())},
		"EFAULT":      {next().PrepRecvmsgMultishot(rx, &Msghdr{NameRoom: 16}, b.Group(), 0)},
	} {
		for _, err := range errs {
			require.ErrorIs(t, err, unix.EINVAL)
			require.ErrorContains(t, err, why)
		}
	}
}

// TestDatagramLongerThanAnIncrementalBuffer has a receive that was prepared before the ring was made: nothing is handed
// out that was never written, and Reset makes the ring usable again.
func TestDatagramLongerThanAnIncrementalBuffer(t *testing.T) { // found 5
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	const group = 900
	tx, rx := testutil.SocketPair(t, "udp4")
	s := queued(t, r, func(s *SQE) error { return s.PrepRecvMultishot(rx, group, unix.MSG_TRUNC) })
	id := s.ID()
	b := newTestBufRing(t, r, 4, 100, WithIncremental(), WithGroup(group))
	require.NoError(t, b.AddRange(0, 4, 100))
	b.Publish()
	for _, p := range []string{"first", string(make([]byte, 250)), "after"} {
		_, err := unix.Write(tx, []byte(p))
		require.NoError(t, err)
	}
	var got []CQE
	for len(got) < 3 && (len(got) == 0 || got[len(got)-1].More()) {
		got = append(got, wait(t, r, 1)...)
	}
	require.GreaterOrEqual(t, len(got), 2)
	pieces, err := b.Consume(got[0], nil)
	require.NoError(t, err)
	require.Equal(t, []Piece{{Len: 5, More: true}}, pieces)
	require.EqualValues(t, 250, got[1].Res)
	for _, c := range got[1:] {
		pieces, err = b.Consume(c, nil)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "Reset")
		require.Empty(t, pieces)
	}
	if got[len(got)-1].More() {
		queueCancel(t, r, id)
		finish(t, r, id)
	}
	_, err = b.Withdraw(nil)
	require.ErrorIs(t, err, unix.EINVAL)
	require.NoError(t, b.Reset())
	require.NoError(t, b.Add(0, 100))
	b.Publish()
	_, err = unix.Write(tx, []byte("anew"))
	require.NoError(t, err)
	c := finish(t, r, queueRecv(t, r, rx, b, 0))[0]
	pieces, err = b.Consume(c, nil)
	require.NoError(t, err)
	data, err := b.Data(pieces[0])
	require.NoError(t, err)
	require.Equal(t, "anew", string(data))
}

// TestMessagesNeedRoomForTheirFixedParts: a ring whose buffers are too short is refused where it is known.
func TestMessagesNeedRoomForTheirFixedParts(t *testing.T) { // found 6
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, recvmsgHeader+28+32)
	_, rx := testutil.SocketPair(t, "udp4")
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecvmsgMultishot(rx, &Msghdr{NameRoom: 28, Control: make([]byte, 32)}, b.Group(), 0))
	err = s.PrepRecvmsgMultishot(rx, &Msghdr{NameRoom: 28, Control: make([]byte, 33)}, b.Group(), 0)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "header, address and control data take 77")
}
