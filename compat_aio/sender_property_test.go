//go:build linux

package aio

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/sendertest"
)

// testedBatcher is a Batcher as the tests of Senders want it.
type testedBatcher struct{ *Batcher }

// testedSender closes its Socket with itself, before the test closes the descriptor.
type testedSender struct{ *Sender }

func (s testedSender) Close() error {
	err := s.Sender.Close()
	if e := s.Socket().Close(); e != nil {
		return e
	}
	return err
}

func (b testedBatcher) NewSender(t *rapid.T, fd, limit, batch int) sendertest.Sender {
	if b.refuseBlocking {
		require.NoError(t, unix.SetNonblock(fd, true))
	}
	socket, err := b.Socket(fd)
	require.NoError(t, err)
	s, err := socket.NewSender(WithLimit(limit), WithBatch(batch))
	require.NoError(t, err)
	return testedSender{s}
}

func (testedBatcher) Unsent(err error) (int, bool) {
	var unsent *UnsentError
	if !errors.As(err, &unsent) {
		return 0, false
	}
	return unsent.Bytes, true
}

func (b testedBatcher) RequireEmpty(t *rapid.T) { requireIdle(t, b.Batcher) }

// requireIdle holds that nothing is left of transfers and Senders.
func requireIdle(t require.TestingT, b *Batcher) {
	require.Empty(t, b.senders)
	require.Empty(t, b.sockets)
	require.Empty(t, b.todo)
	require.Zero(t, b.waiting)
	require.Zero(t, b.open)
	if b.slab != nil {
		require.Zero(t, b.slab.Stats().Out)
	}
	if m, ok := b.mover.(*contextMover); ok {
		require.Equal(t, Stats{}, m.ctx.Stats())
	}
}

// TestSenderBytesAreExact (SPEC C19 to C24, FACTS 16 and 17) is the test of all Senders, with more of them than slots,
// too.
func TestSenderBytesAreExact(t *testing.T) {
	exact := func(size int, opts ...BatchOption) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel() // most of the time is spent on waiting for peers
			sendertest.BytesAreExact(t, testedBatcher{newBatcher(t, size, opts...)})
		}
	}
	t.Run("one slot", exact(1))
	t.Run("64 slots", exact(64))
	t.Run("sendmsg", exact(4, WithSyscalls()))
}
