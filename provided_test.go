//go:build linux

package uring

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// hangLimit is generous: it ends tests whose completions never come.
const hangLimit = 30 * time.Second

// newTestBufRing returns a buffer ring that ends with the test's Ring. The test is skipped where the kernel has
// none.
func newTestBufRing(t testing.TB, r *Ring, entries, size int, opts ...BufRingOption) *BufRing {
	t.Helper()
	b, err := r.NewBufRing(entries, size, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	return b
}

// transfer is a send or receive whose memory comes from a buffer group.
type transfer struct {
	op     uint8
	fd     int
	group  uint16
	len    int
	flags  int    // MSG_
	ioprio uint16 // RecvSendBundle, RecvMultishot
	sqe    SQEFlags
}

// queue fills an SQE with the transfer.
func (x transfer) queue(t testing.TB, r *Ring) OpID {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	if x.op == cring.OpSend {
		err = s.PrepSend(x.fd, nil, x.flags)
	} else {
		err = s.PrepRecv(x.fd, nil, x.flags)
	}
	require.NoError(t, err)
	s.BufferSelect(x.group)
	require.NoError(t, s.SetIOPrio(x.ioprio))
	require.NoError(t, s.SetLen(x.len))
	require.NoError(t, s.SetFlags(x.sqe))
	return s.ID()
}

func queueBundle(t testing.TB, r *Ring, fd int, b *BufRing, flags int) OpID {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSendBundle(fd, b.Group(), flags))
	return s.ID()
}

func queueRecv(t testing.TB, r *Ring, fd int, b *BufRing, ioprio uint16) OpID {
	t.Helper()
	return transfer{op: cring.OpRecv, fd: fd, group: b.Group(), ioprio: ioprio}.queue(t, r)
}

func queueCancel(t testing.TB, r *Ring, id OpID) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepCancel(id, 0))
}

// wait submits and returns the completions that are there once n of them are.
func wait(t testing.TB, r *Ring, n int) []CQE {
	t.Helper()
	_, err := r.SubmitAndWaitTimeout(context.Background(), n, hangLimit)
	require.NoError(t, err)
	return reaped(t, r)
}

// reaped returns the completions that are there.
func reaped(t testing.TB, r *Ring) []CQE {
	t.Helper()
	var got []CQE
	for c := range r.Completions() {
		got = append(got, c)
	}
	return got
}

// finish submits and waits until the operation is over, and returns its completions.
func finish(t testing.TB, r *Ring, id OpID) []CQE {
	t.Helper()
	var got []CQE
	for {
		for _, c := range wait(t, r, 1) {
			if c.ID == id {
				got = append(got, c)
			}
		}
		if len(got) > 0 && !got[len(got)-1].More() {
			return got
		}
	}
}

// settle submits and lets the kernel do what can be done at once. It returns what completed.
func settle(t testing.TB, r *Ring) []CQE {
	t.Helper()
	_, err := r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond)
	if !errors.Is(err, errTimeout) {
		require.NoError(t, err)
	}
	return reaped(t, r)
}

// fill gives buffers 0 to n-1 to the kernel, each full of bytes of the test stream from position at on, and returns
// those.
func fill(t testing.TB, b *BufRing, n, at int) []byte {
	t.Helper()
	var all []byte
	for id := range uint16(n) {
		p, err := b.Buffer(id)
		require.NoError(t, err)
		fillStream(p, at+len(all))
		all = append(all, p...)
		require.NoError(t, b.Add(id, len(p)))
	}
	b.Publish()
	return all
}

// drain reads what waits in a socket, without blocking.
func drain(t testing.TB, fd int) []byte {
	t.Helper()
	var all []byte
	p := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, p, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || n == 0 && err == nil {
			return all
		}
		require.NoError(t, err)
		all = append(all, p[:n]...)
	}
}

// narrow makes the socket's send buffer as small as the kernel allows.
func narrow(t testing.TB, fd int) {
	t.Helper()
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
}
