//go:build linux

package uring

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/sendertest"
)

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
	require.Zero(t, r.slab.Stats().Out)
	require.Empty(t, slices.Collect(r.groups.all))
}

// TestSenderBytesAreExact runs in one submission queue of few entries.
func TestSenderBytesAreExact(t *testing.T) {
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
