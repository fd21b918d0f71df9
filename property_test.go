//go:build linux

package uring

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/goroutine"
	"github.com/sockring/uring/internal/sendertest"
	"github.com/sockring/uring/internal/testutil"
)

// ledger drives a ring at random and keeps account of every operation.
type ledger struct {
	t      testing.TB
	r      *Ring
	next   uint64
	kind   map[uint64]string // by Data64: what has not ended
	id     map[uint64]OpID
	a, b   int // a socket pair
	unread int // a pipe from which nothing ever comes
}

// results are the errnos with which an operation may end besides success.
var results = map[string][]unix.Errno{
	"nop":     nil,
	"poll":    {unix.ECANCELED},
	"timeout": {unix.ETIME, unix.ECANCELED},
	"recv":    {unix.ECANCELED},
	"send":    {unix.ECANCELED},
	"cancel":  {unix.ENOENT, unix.EALREADY},
	"bad":     {unix.EBADF},
	"silent":  {unix.EBADF},
}

// ringKinds are the set-ups that differ in how SQEs and CQEs travel.
var ringKinds = map[string][]Option{
	"default":          nil,
	"plain":            {WithoutFlags(^SetupFlags(0)), WithPlainFd()},
	"coop":             {WithoutFlags(SetupDeferTaskrun | SetupSingleIssuer)},
	"sqpoll":           {WithSQPoll(time.Millisecond, -1)},
	"small completion": {WithCQEntries(8)},
}

func TestEveryOperationEndsOnceWhateverHappens(t *testing.T) {
	needs(t, CanSetup)
	testutil.Timeout(t, 2*time.Minute)
	rd, _ := testutil.Pipe(t)
	kinds := []string{"default", "plain", "coop", "sqpoll", "small completion"}
	rapid.Check(t, func(rt *rapid.T) {
		entries := rapid.SampledFrom([]uint32{1, 2, 8}).Draw(rt, "entries")
		r, err := New(entries, ringKinds[rapid.SampledFrom(kinds).Draw(rt, "ring")]...)
		require.NoError(t, err)
		l := &ledger{t: t, r: r, kind: map[uint64]string{}, id: map[uint64]OpID{}, unread: rd}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		l.a, l.b = pair[0], pair[1]

		ops := []string{"nop", "poll", "timeout", "recv", "send", "cancel", "bad"}
		if r.Features()&FeatCQESkip != 0 {
			ops = append(ops, "silent")
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch what := rapid.SampledFrom(append(ops, "submit", "wait", "reap")).Draw(rt, "step"); what {
			case "submit":
				_, err := r.Submit()
				require.NoError(t, err)
			case "wait":
				n := rapid.IntRange(0, 2).Draw(rt, "n")
				_, err := r.SubmitAndWaitTimeout(context.Background(), n, time.Millisecond)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					require.NoError(t, err)
				}
			case "reap":
				l.reap()
			default:
				l.queue(what, rapid.Int().Draw(rt, "choice"))
			}
			l.balance()
		}
		require.NoError(t, r.Close())
		l.reap()
		l.balance()
		maps.DeleteFunc(l.kind, func(_ uint64, kind string) bool { return kind == "silent" })
		require.Empty(t, l.kind, "operations without an end")
		require.Zero(t, r.Stats().InFlight)
		require.Zero(t, r.Stats().Stale)
	})
}

// queue fills an SQE with an operation of that kind.
func (l *ledger) queue(kind string, choice int) {
	l.next++
	var s *SQE
	switch kind {
	case "nop":
		var err error
		s, err = l.r.SQE()
		require.NoError(l.t, err)
	case "poll":
		s = pollOp(l.t, l.r, l.unread)
	case "timeout":
		s = timeoutOp(l.t, l.r, []time.Duration{0, time.Microsecond, time.Hour}[uint(choice)%3])
	case "recv":
		s = recvOp(l.t, l.r, l.a, make([]byte, 3))
	case "send":
		s = sendOp(l.t, l.r, l.b, []byte("five!"))
	case "cancel":
		s = cancelOp(l.t, l.r, l.victim(choice))
	case "bad":
		s = recvOp(l.t, l.r, -1, make([]byte, 3))
	case "silent":
		l.queueSilent(choice)
		return
	}
	s.SetData64(l.next)
	l.kind[l.next], l.id[l.next] = kind, s.ID()
}

// queueSilent fills an SQE of which nothing is heard, or only its failure.
func (l *ledger) queueSilent(choice int) {
	s := queued(l.t, l.r, (*SQE).PrepNop)
	if choice%2 == 0 {
		require.NoError(l.t, s.PrepClose(-1))
		l.kind[l.next] = "silent"
	}
	require.NoError(l.t, l.r.SkipSuccess(s, l.next))
	l.id[l.next] = OpID(s.raw.UserData)
}

// victim returns an operation that was queued at some time, whether it has ended or not.
func (l *ledger) victim(choice int) OpID {
	if l.next == 1 {
		return OpID(userDataOurs | 1<<30)
	}
	return l.id[1+uint64(uint(choice))%(l.next-1)]
}

// reap strikes out what has ended.
func (l *ledger) reap() {
	for c := range l.r.Completions() {
		kind, ok := l.kind[c.Data64]
		if !ok && l.r.life.closing.Load() && c.Err() != nil {
			require.ErrorIs(l.t, c.Err(), unix.ECANCELED) // a silent NOP that was not submitted
			continue
		}
		require.True(l.t, ok, "operation %d ended twice or never began", c.Data64)
		require.False(l.t, c.More())
		require.Equal(l.t, l.id[c.Data64], c.ID)
		delete(l.kind, c.Data64)
		if c.Res >= 0 {
			require.NotEqual(l.t, "bad", kind)
			continue
		}
		allowed := append([]unix.Errno{unix.ECANCELED}, results[kind]...) // any may be left unsubmitted at Close
		require.Contains(l.t, allowed, unix.Errno(-c.Res), kind)
	}
}

// balance checks that what the kernel took has ended or is in flight, and that nothing else is.
func (l *ledger) balance() {
	st := l.r.Stats()
	require.Equal(l.t, st.Submitted, st.Completed+uint64(st.InFlight)+st.Silent)
	require.Zero(l.t, st.Dropped)
}

// provider is a buffer ring, the socket that its requests use, and what a test knows of both.
type provider struct {
	t    *testing.T
	rt   *rapid.T
	r    *Ring
	b    *BufRing
	fd   int
	peer int

	mine     []bool
	ring     []byte // content of all buffers that are the kernel's, in the order of the ring
	op       uint8
	settles  bool // completions go to Settle instead of Consume
	partial  bool // of the bundle in flight a buffer left in part
	id       OpID
	bundle   bool
	inFlight bool
	written  int    // bytes of the test stream so far
	moved    []byte // what the ring says has been sent, or received
	seen     []byte // what the peer says
}

// newProvider makes a buffer ring of any size and kind for requests of op.
func newProvider(t *testing.T, rt *rapid.T, r *Ring, op uint8) *provider {
	p := &provider{t: t, rt: rt, r: r, op: op}
	entries := 1 << rapid.IntRange(0, 5).Draw(rt, "log2 of entries")
	size := rapid.SampledFrom([]int{1, 100, 3000}).Draw(rt, "size")
	p.settles = rapid.Bool().Draw(rt, "settles")
	var opts []BufRingOption
	if rapid.Bool().Draw(rt, "incremental") {
		opts = append(opts, WithIncremental())
	}
	p.b = newTestBufRing(t, r, entries, size, opts...)
	p.fd, p.peer = testutil.SocketPair(t, rapid.SampledFrom([]string{"unix", "tcp4"}).Draw(rt, "network"))
	rt.Cleanup(func() {
		require.NoError(t, unix.Close(p.fd))
		require.NoError(t, unix.Close(p.peer))
	})
	narrow(t, p.fd)
	narrow(t, p.peer)
	p.mine = make([]bool, entries)
	for i := range p.mine {
		p.mine[i] = true
	}
	return p
}

func (p *provider) buffer() uint16 {
	return uint16(rapid.IntRange(0, p.b.Entries()-1).Draw(p.rt, "buffer"))
}

// add gives any part of any buffer to the kernel, and expects a refusal where it must come.
func (p *provider) add(rt *rapid.T) {
	size := p.b.Size()
	part := Piece{Buffer: p.buffer(), Off: rapid.IntRange(0, size-1).Draw(rt, "off")}
	part.Len = rapid.IntRange(0, size-part.Off+1).Draw(rt, "len")
	if !p.mine[part.Buffer] {
		_, err := p.b.Buffer(part.Buffer)
		require.ErrorIs(rt, err, ErrBufferOwned)
		require.Error(rt, p.b.AddPiece(part))
		return
	}
	data, err := p.b.Buffer(part.Buffer)
	require.NoError(rt, err)
	if part.Len == 0 || part.Off+part.Len > size {
		require.ErrorIs(rt, p.b.AddPiece(part), unix.EINVAL)
		return
	}
	data = data[part.Off:][:part.Len]
	p.write(data)
	p.ring = append(p.ring, data...)
	require.NoError(rt, p.b.AddPiece(part))
	p.mine[part.Buffer] = false
}

// addRange gives some buffers in a row.
func (p *provider) addRange(rt *rapid.T) {
	first := p.buffer()
	n := rapid.IntRange(1, p.b.Size()).Draw(rt, "len")
	count := rapid.IntRange(0, p.b.Entries()-int(first)).Draw(rt, "count")
	for i := range count {
		if !p.mine[int(first)+i] {
			require.ErrorIs(rt, p.b.AddRange(first, count, n), ErrBufferOwned)
			return
		}
	}
	for id := first; id < first+uint16(count); id++ {
		data, err := p.b.Buffer(id)
		require.NoError(rt, err)
		p.write(data[:n])
		p.ring = append(p.ring, data[:n]...)
		p.mine[id] = false
	}
	require.NoError(rt, p.b.AddRange(first, count, n))
}

func (p *provider) write(data []byte) {
	fillStream(data, p.written)
	p.written += len(data)
}

func (p *provider) publish(*rapid.T) { p.b.Publish() }

func (p *provider) submit(rt *rapid.T) {
	if p.inFlight {
		rt.Skip()
	}
	x := transfer{op: p.op, fd: p.fd, group: p.b.Group()}
	kinds := []uint16{0, bundled}
	if p.op == cring.OpRecv {
		kinds = append(kinds, multishot, multishot|bundled)
	}
	x.ioprio = rapid.SampledFrom(kinds).Draw(rt, "ioprio")
	if x.ioprio&multishot == 0 {
		x.len = rapid.SampledFrom([]int{0, 0, 1, 150, 7000}).Draw(rt, "limit")
	}
	x.flags = rapid.SampledFrom([]int{0, unix.MSG_DONTWAIT, unix.MSG_WAITALL}).Draw(rt, "flags")
	if p.op == cring.OpRecv && x.ioprio != 0 {
		x.flags = 0 // with these the kernel wants none
	}
	if p.op == cring.OpRecv && p.b.flags&cring.PbufRingInc != 0 {
		x.flags &^= unix.MSG_WAITALL // see WithIncremental
	}
	p.id = x.queue(p.t, p.r)
	p.inFlight, p.bundle = true, x.ioprio&bundled != 0
}

func (p *provider) reap(rt *rapid.T) {
	_, err := p.r.Submit()
	require.NoError(rt, err)
	for _, c := range reaped(p.t, p.r) {
		p.complete(c)
	}
}

func (p *provider) cancel(rt *rapid.T) {
	if !p.inFlight {
		rt.Skip()
	}
	queueCancel(p.t, p.r, p.id)
	for _, c := range finish(p.t, p.r, p.id) {
		p.complete(c)
	}
}

// complete accounts a completion: its pieces are the first of what the kernel had.
func (p *provider) complete(c CQE) {
	if c.ID != p.id {
		return
	}
	p.inFlight = c.More()
	pieces := p.consume(c)
	n := 0
	for i, piece := range pieces {
		data, err := p.b.Data(piece)
		require.NoError(p.rt, err)
		p.moved = append(p.moved, data...)
		n += piece.Len
		p.unlend(piece, piece.Len+piece.Left)
		require.True(p.rt, i == len(pieces)-1 || piece.Left == 0 && !piece.More, "only the last may be used in part")
	}
	require.Equal(p.rt, max(int(c.Res), 0), n)
	if p.op == cring.OpSend && !p.inFlight && p.bundle {
		p.withdraw(p.rt) // what it had picked and not sent must not be overtaken
	}
}

// consume accounts a completion in one of the two ways that there are, and holds it against the other: a copy of
// the account is kept by Consume where the ring itself is asked to Settle.
func (p *provider) consume(c CQE) []Piece {
	if !p.settles {
		pieces, err := p.b.Consume(c, nil)
		require.NoError(p.rt, err)
		return pieces
	}
	named := *p.b
	named.bufs = slices.Clone(named.bufs)
	pieces, err := named.Consume(c, nil)
	require.NoError(p.rt, err)
	all, err := p.b.Settle(c)
	require.NoError(p.rt, err)
	for _, piece := range pieces {
		p.partial = p.partial || piece.Left > 0
	}
	require.Equal(p.rt, named.Lent() == 0 && !p.partial && !c.More(), all)
	p.partial = p.partial && c.More()
	require.Equal(p.rt, named.Lent(), p.b.Lent())
	return pieces
}

// unlend notes that n bytes of a piece's buffer are no longer in the ring.
func (p *provider) unlend(piece Piece, n int) {
	if p.op == cring.OpSend {
		data := p.b.mem[int(piece.Buffer)*p.b.stride+piece.Off:][:n]
		require.Equal(p.rt, p.ring[:n], data, "bytes out of the order of the ring")
	}
	p.ring = p.ring[n:]
	if !piece.More {
		require.False(p.rt, p.mine[piece.Buffer], "buffer %d came back twice", piece.Buffer)
		p.mine[piece.Buffer] = true
	}
}

func (p *provider) withdraw(rt *rapid.T) {
	pieces, err := p.b.Withdraw(nil)
	if p.inFlight {
		require.ErrorIs(rt, err, unix.EBUSY)
		require.ErrorIs(rt, p.b.Close(), unix.EBUSY)
		return
	}
	require.NoError(rt, err)
	for _, piece := range pieces {
		p.unlend(piece, piece.Len)
	}
	require.Empty(rt, p.ring)
	st, err := p.b.Status()
	require.NoError(rt, err)
	require.Zero(rt, st.Available)
}

func (p *provider) reset(rt *rapid.T) {
	err := p.b.Reset()
	if p.inFlight {
		require.ErrorIs(rt, err, unix.EBUSY)
		return
	}
	require.NoError(rt, err)
	p.ring = nil
	for i := range p.mine {
		p.mine[i] = true
	}
}

// talk moves bytes at the peer's end.
func (p *provider) talk(rt *rapid.T) {
	data := make([]byte, rapid.IntRange(1, 5000).Draw(rt, "bytes at the peer"))
	if p.op == cring.OpSend {
		n, _, err := unix.Recvfrom(p.peer, data, unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EAGAIN) {
			require.NoError(rt, err)
			p.seen = append(p.seen, data[:n]...)
		}
		return
	}
	fillStream(data, len(p.seen))
	n, err := unix.SendmsgN(p.peer, data, nil, nil, unix.MSG_DONTWAIT)
	if !errors.Is(err, unix.EAGAIN) {
		require.NoError(rt, err)
		p.seen = append(p.seen, data[:n]...)
	}
}

// check holds after every step: each buffer has one owner, and what moved is a prefix of what was there.
func (p *provider) check(rt *rapid.T) {
	n := 0
	for _, mine := range p.mine {
		if mine {
			n++
		}
	}
	require.Equal(rt, p.b.Entries(), n+p.b.Lent())
	if p.op == cring.OpRecv {
		require.True(rt, bytes.HasPrefix(p.seen, p.moved), "received bytes that were not sent")
	}
}

// end brings the request to its end and compares the whole streams.
func (p *provider) end() {
	if p.inFlight {
		p.cancel(p.rt)
	}
	if p.op == cring.OpSend {
		p.seen = append(p.seen, readAll(p.t, p.peer, len(p.moved)-len(p.seen))...)
		require.Empty(p.rt, drain(p.t, p.peer))
		require.True(p.rt, bytes.Equal(p.moved, p.seen), "sent bytes that did not arrive")
	}
	p.withdraw(p.rt)
	p.check(p.rt)
	require.NoError(p.rt, p.b.Close())
}

// TestBufRingConservesBuffersAndBytes does anything in any order with a buffer ring and real sockets: no buffer is
// ever in two hands, no refusal is missed, and the bytes that completions speak of are exactly those that moved.
func TestBufRingConservesBuffersAndBytes(t *testing.T) { // SPEC E30
	for name, op := range map[string]uint8{"send": cring.OpSend, "receive": cring.OpRecv} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			needs(t, CanSendBundle)
			rapid.Check(t, func(rt *rapid.T) {
				p := newProvider(t, rt, r, op)
				rt.Repeat(map[string]func(*rapid.T){
					"":        p.check,
					"add":     p.add,
					"range":   p.addRange,
					"publish": p.publish,
					"submit":  p.submit,
					"reap":    p.reap,
					"cancel":  p.cancel,
					"talk":    p.talk,
					"more":    p.talk,
					"take":    p.withdraw,
					"reset":   p.reset,
				})
				p.end()
			})
		})
	}
}

func fillStream(p []byte, pos int) { sendertest.FillStream(p, pos) }

// testedRing is a Ring as the tests of Senders want it.
type testedRing struct {
	*Ring
	opts []SenderOption
}

func (r testedRing) NewSender(t *rapid.T, fd, limit, batch int) sendertest.Sender {
	s, err := r.Ring.NewSender(fd, append(slices.Clip(r.opts), WithLimit(limit), WithBatch(batch))...)
	require.NoError(t, err)
	requests := []string{"as it is", "as it is", "MSG_DONTWAIT"}
	if caps, _ := Probe(); caps.Require(CanSendPollFirst) == nil {
		requests = append(requests, "POLL_FIRST")
	}
	switch rapid.SampledFrom(requests).Draw(t, "request") {
	case "MSG_DONTWAIT":
		s.msgFlags |= unix.MSG_DONTWAIT // ends short and with EAGAIN, as O_NONBLOCK sockets do on old kernels
	case "POLL_FIRST":
		s.ioprio |= cring.RecvSendPollFirst // cancelled before it picks buffers, as newer kernels always leave them
	}
	return s
}

func (r testedRing) Submit() error {
	_, err := r.Ring.Submit()
	return err
}

func (testedRing) Unsent(err error) (int, bool) {
	var unsent *UnsentError
	if !errors.As(err, &unsent) {
		return 0, false
	}
	return unsent.Bytes, true
}

func (r testedRing) RequireEmpty(t *rapid.T) {
	require.Zero(t, r.slots.live)
	require.Zero(t, senders(t, r.Ring).slab.Stats().Out)
	require.Empty(t, slices.Collect(r.groups.all))
}

// TestSenderBytesAreExact runs in one submission queue of few entries.
func TestSenderBytesAreExact(t *testing.T) { // SPEC E08
	for name, opts := range map[string][]SenderOption{"bundle": nil, "sendmsg": {WithSendmsg()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time is spent on waiting for peers
			sendertest.BytesAreExact(t, testedRing{newTestRing(t, 4), opts})
		})
	}
}

func TestSenderRefusesWhatIsNoStream(t *testing.T) {
	r := newTestRing(t, 4)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	_, err = r.NewSender(fds[0])
	require.ErrorIs(t, err, unix.EPROTOTYPE)
	_, err = r.NewSender(-1)
	require.ErrorIs(t, err, unix.EBADF)
}

// completed is the completion of a bundle of b that began with buffer id and moved n bytes.
func completed(b *BufRing, id uint16, n int) CQE {
	return CQE{
		Res: int32(n), Flags: CQEBuffer | CQEFlags(id)<<cring.CQEBufferShift,
		op: cring.OpSend, bundle: true, group: b.group.serial,
	}
}

// BenchmarkBufRing is what a sender of bundles pays for each buffer besides the kernel's work.
func BenchmarkBufRing(b *testing.B) {
	const entries, size = 1024, 64
	ring := newTestBufRing(b, newTestRing(b, 4), entries, size)
	all := completed(ring, 0, entries*size)
	pieces := make([]Piece, 0, entries)
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	add := func() {
		for id := range uint16(entries) {
			if ring.Add(id, size) != nil {
				b.FailNow()
			}
		}
	}
	addRange := func() { check(ring.AddRange(0, entries, size)) }
	recycle := func() {
		for id := range uint16(entries) {
			if ring.Recycle(id) != nil {
				b.FailNow()
			}
		}
	}
	consume := func() {
		ring.Publish()
		var err error
		pieces, err = ring.Consume(all, pieces[:0])
		check(err)
	}
	tests := []struct {
		name         string
		timed, other func()
	}{
		{"Add", add, consume},
		{"AddRange", addRange, consume},
		{"Recycle", recycle, consume},
		{"Consume", consume, addRange},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			ring.group.ring.owner = goroutine.Self() // not the goroutine of the whole benchmark
			b.ReportAllocs()
			if tt.name == "Consume" {
				addRange()
			}
			for b.Loop() {
				tt.timed()
				b.StopTimer()
				tt.other()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/buffer")
			ring.regain(func(Piece) {})
			require.Zero(b, ring.Lent())
		})
	}
}
