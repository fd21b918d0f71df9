//go:build linux

package uring

import (
	"crypto/sha256"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

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
