//go:build linux

package uring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/cring"
)

// streamByte is the byte at a position of every test stream: nothing can be lost, doubled or moved without being
// seen.
func streamByte(pos int) byte { return byte(pos*131 ^ pos>>8*29 ^ pos>>16*7) }

func fillStream(p []byte, pos int) {
	for i := range p {
		p[i] = streamByte(pos + i)
	}
}

// reading is how the peer of a Sender behaves.
type reading struct {
	chunk int           // bytes a read asks for
	pause time.Duration // between reads
	stall int           // after so many bytes it waits until the Sender is done; -1 never
	quit  int           // after so many bytes it stops reading; -1 never
	reset bool          // then by RST, where there is one; else by close
}

// drawReading makes up a peer.
func drawReading(t *rapid.T) reading {
	r := reading{chunk: rapid.SampledFrom([]int{1 << 16, 4096, 777}).Draw(t, "chunk"), stall: -1, quit: -1}
	switch rapid.SampledFrom([]string{"fast", "slow", "stalling", "closing", "resetting"}).Draw(t, "reader") {
	case "slow":
		r.pause = time.Duration(rapid.IntRange(1, 300).Draw(t, "pause µs")) * time.Microsecond
	case "stalling":
		r.stall = rapid.IntRange(0, 200_000).Draw(t, "stall at")
	case "closing":
		r.quit = rapid.IntRange(0, 200_000).Draw(t, "close at")
	case "resetting":
		r.quit, r.reset = rapid.IntRange(0, 200_000).Draw(t, "reset at"), true
	}
	return r
}

// peer reads a stream and checks every byte of it.
type peer struct {
	fd     int
	how    reading
	resume chan struct{} // closed when a stalled reader may go on
	over   chan struct{} // closed when it has stopped
	got    int
	err    error
}

func startPeer(fd int, how reading) *peer {
	p := &peer{fd: fd, how: how, resume: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(p.over)
		p.err = p.read()
	}()
	return p
}

func (p *peer) read() error {
	defer unix.Close(p.fd)
	buf := make([]byte, p.how.chunk)
	for {
		if p.how.quit >= 0 && p.got >= p.how.quit {
			if p.how.reset {
				return unix.SetsockoptLinger(p.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			}
			return nil
		}
		if p.how.stall >= 0 && p.got >= p.how.stall {
			<-p.resume
			p.how.stall = -1
		}
		n, err := unix.Read(p.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		for i, b := range buf[:n] {
			if want := streamByte(p.got + i); b != want {
				return fmt.Errorf("byte %d of the stream is %#x, want %#x", p.got+i, b, want)
			}
		}
		p.got += n
		time.Sleep(p.how.pause)
	}
}

// senderRun is one Sender of a property run with its peer and the model of what it was given.
type senderRun struct {
	s        *Sender
	fd       int
	peer     *peer
	accepted int
	ends     []int // where each message ends
	handed   int   // messages handed over
	released int
	failed   bool // the peer went away
}

func (u *senderRun) took(n int) {
	if n > 0 {
		u.accepted += n
		u.ends = append(u.ends, u.accepted)
	}
}

// message draws the next bytes of the stream.
func (u *senderRun) message(t *rapid.T) []byte {
	size := rapid.OneOf(rapid.IntRange(1, 64), rapid.IntRange(1, 3000), rapid.IntRange(1, 150_000)).Draw(t, "size")
	p := make([]byte, size)
	fillStream(p, u.accepted)
	return p
}

// tolerate lets an operation fail as a Sender whose peer is gone, or whose time is up, may fail.
func (u *senderRun) tolerate(t *rapid.T, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		require.GreaterOrEqual(t, u.peer.how.quit, 0, "the peer never went away")
		u.failed = true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
	default:
		t.Fatalf("sender: %v", err)
	}
	return false
}

// step does one random thing with the Sender.
func (u *senderRun) step(t *rapid.T) {
	deadline := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 20 * time.Millisecond}).Draw(t, "deadline")
	u.s.SetDeadline(time.Now().Add(max(deadline, time.Millisecond)))
	ops := []string{"write", "write", "writev", "fill", "hand over", "try", "flush", "submit"}
	switch rapid.SampledFrom(ops).Draw(t, "op") {
	case "write":
		n, err := u.s.Write(u.message(t))
		u.tolerate(t, err)
		for left := n; left > 0; left -= min(left, u.s.queue.Limit()) { // one piece after the other where it is too long
			u.took(min(left, u.s.queue.Limit()))
		}
	case "writev":
		p := u.message(t)
		cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
		err := u.s.Writev([][]byte{p[:cut], nil, p[cut:]})
		if errors.Is(err, unix.EMSGSIZE) {
			require.Greater(t, len(p), u.s.queue.Limit())
		} else if u.tolerate(t, err) {
			u.took(len(p))
		}
	case "fill":
		n := rapid.IntRange(1, min(u.s.queue.Limit(), 64<<10)).Draw(t, "reserved")
		p, err := u.s.Reserve(n)
		if u.tolerate(t, err) {
			n = rapid.IntRange(0, n).Draw(t, "committed")
			fillStream(p[:n], u.accepted)
			if u.tolerate(t, u.s.Commit(n)) {
				u.took(n)
			}
		}
	case "hand over":
		u.handOver(t)
	case "try":
		p := u.message(t)
		if err := u.s.TryWrite(p); !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EMSGSIZE) && u.tolerate(t, err) {
			u.took(len(p))
		}
	case "flush":
		ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Microsecond)
		u.tolerate(t, u.s.Flush(ctx))
		cancel()
	case "submit":
		_, err := u.s.ring.Submit()
		require.NoError(t, err)
	}
	u.check(t)
}

func (u *senderRun) handOver(t *rapid.T) {
	p := u.message(t)
	p = p[:min(len(p), u.s.queue.Limit())]
	number, start := u.handed, u.accepted
	err := u.s.HandOver(p, func(sent int, err error) {
		require.Equal(t, number, u.released, "released out of order, or twice")
		u.released++
		require.True(t, (err == nil) == (sent == len(p)), "released with %d of %d bytes and %v", sent, len(p), err)
		require.EqualValues(t, min(max(int(u.s.Sent())-start, 0), len(p)), sent)
		clear(p) // it is ours again: whoever still reads it sends zeros
	})
	if u.tolerate(t, err) {
		u.handed++
		u.took(len(p))
	}
}

// check compares the Sender's accounts with the model.
func (u *senderRun) check(t *rapid.T) {
	require.EqualValues(t, u.accepted, u.s.Accepted())
	sent := int(u.s.Sent())
	if u.s.Err() == nil {
		require.Equal(t, u.accepted-sent, u.s.Buffered())
	}
	messages, partial := 0, sent
	for _, end := range u.ends {
		if end > sent {
			break
		}
		messages, partial = messages+1, sent-end
	}
	gotMessages, gotPartial := u.s.Progress()
	require.EqualValues(t, messages, gotMessages)
	require.Equal(t, partial, gotPartial)
}

// finish ends the Sender, by a last flush or by leaving bytes behind, and compares what the peer got.
func (u *senderRun) finish(t *rapid.T) {
	if u.peer.how.stall >= 0 {
		close(u.peer.resume)
	}
	if rapid.Bool().Draw(t, "flush at the end") && !u.failed {
		u.s.SetDeadline(time.Now().Add(30 * time.Second))
		if u.tolerate(t, u.s.Flush(context.Background())) {
			require.Zero(t, u.s.Buffered())
		}
	}
	left := u.s.Buffered()
	err := u.s.Close()
	var unsent *UnsentError
	if errors.As(err, &unsent) {
		require.EqualValues(t, u.accepted, int(u.s.Sent())+unsent.Bytes)
		require.LessOrEqual(t, unsent.Bytes, left)
	} else {
		require.NoError(t, err)
	}
	u.check(t)
	require.Equal(t, u.handed, u.released, "not everything handed over was released")
	require.NoError(t, unix.Close(u.fd))
	<-u.peer.over
	u.checkPeer(t)
}

// checkPeer holds that the peer got exactly the prefix that the Sender accounts for. Of what a socket had taken
// when its peer went away, the peer has seen some prefix.
func (u *senderRun) checkPeer(t *rapid.T) {
	if u.peer.err != nil && !errors.Is(u.peer.err, unix.ECONNRESET) {
		t.Fatalf("peer: %v", u.peer.err)
	}
	if u.peer.how.quit >= 0 {
		require.LessOrEqual(t, u.peer.got, int(u.s.Sent()))
		return
	}
	require.EqualValues(t, u.s.Sent(), u.peer.got)
}

// propertyPair connects two stream sockets.
func propertyPair(t *rapid.T, network string) (a, b int) {
	if network == "unix" {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		return fds[0], fds[1]
	}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(l)
	require.NoError(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(l, 1))
	addr, err := unix.Getsockname(l)
	require.NoError(t, err)
	a, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Connect(a, addr))
	b, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	return a, b
}

// newSenderRun makes a Sender over a fresh connection.
func newSenderRun(t *rapid.T, r *Ring, opts ...SenderOption) *senderRun {
	a, b := propertyPair(t, rapid.SampledFrom([]string{"tcp", "unix"}).Draw(t, "network"))
	if n := rapid.SampledFrom([]int{0, 1, 20_000}).Draw(t, "SO_SNDBUF"); n > 0 {
		require.NoError(t, unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, n))
		require.NoError(t, unix.SetsockoptInt(b, unix.SOL_SOCKET, unix.SO_RCVBUF, n))
	}
	if rapid.Bool().Draw(t, "O_NONBLOCK") {
		require.NoError(t, unix.SetNonblock(a, true))
	}
	limit := rapid.SampledFrom([]int{1000, 50_000, 1 << 20}).Draw(t, "limit")
	batch := rapid.SampledFrom([]int{1, 10_000, 1 << 30}).Draw(t, "batch")
	s, err := r.NewSender(a, append(opts, WithLimit(limit), WithBatch(batch))...)
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
	return &senderRun{s: s, fd: a, peer: startPeer(b, drawReading(t))}
}

// TestSenderBytesAreExact (SPEC E08, FACTS 1 to 8 and 34) drives several Senders of one ring through random
// messages, deadlines, cancellations and peers of every kind, in one submission queue of few entries. Run it longer
// with -rapid.checks.
func TestSenderBytesAreExact(t *testing.T) {
	for name, opts := range map[string][]SenderOption{"bundle": nil, "sendmsg": {WithSendmsg()}} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 4)
			rapid.Check(t, func(t *rapid.T) {
				runs := make([]*senderRun, rapid.IntRange(1, 3).Draw(t, "senders"))
				for i := range runs {
					runs[i] = newSenderRun(t, r, opts...)
				}
				for range rapid.IntRange(1, 25).Draw(t, "steps") {
					u := runs[rapid.IntRange(0, len(runs)-1).Draw(t, "sender")]
					if !u.failed {
						u.step(t)
					}
				}
				for _, u := range runs {
					u.finish(t)
				}
				require.Zero(t, r.slots.live)
				require.Zero(t, r.slab.Stats().Out)
				require.Empty(t, slices.Collect(r.groups.all))
			})
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
