//go:build linux && cgo

package uring

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// hugeSlice returns more bytes than a request takes, of which none is ever touched.
func hugeSlice(t *testing.T) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, ioLenMax+1, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(mem)) })
	return mem
}

func TestPrepRefusesBadArguments(t *testing.T) {
	huge, long := hugeSlice(t), strings.Repeat("p", pathMax)
	oversized := &Sockaddr{n: sockaddrMax + 1} // as the kernel reports an address that did not fit
	for _, row := range []struct {
		name string
		want unix.Errno
		prep func(s *SQE) error
	}{
		{"descriptor too large", unix.EBADF, func(s *SQE) error { return s.PrepSend(math.MaxInt32+1, nil, 0) }},
		{"descriptor too small", unix.EBADF, func(s *SQE) error { return s.PrepClose(math.MinInt32 - 1) }},
		{"negative flags", unix.EINVAL, func(s *SQE) error { return s.PrepSend(0, nil, -1) }},
		{"flags of 33 bits", unix.EINVAL, func(s *SQE) error { return s.PrepRecv(0, nil, 1<<32) }},
		{"buffer too long", unix.EINVAL, func(s *SQE) error { return s.PrepSend(0, huge, 0) }},
		{"buffers too long together", unix.EINVAL, func(s *SQE) error {
			return s.PrepWritev(0, [][]byte{huge[:ioLenMax], {1}}, 0)
		}},
		{"too many buffers", unix.EINVAL, func(s *SQE) error { return s.PrepReadv(0, make([][]byte, iovMax+1), 0) }},
		{"too many buffers in a message", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendmsg(0, &Msghdr{Buffers: make([][]byte, iovMax+1)}, 0)
		}},
		{"no message", unix.EINVAL, func(s *SQE) error { return s.PrepRecvmsg(0, nil, 0) }},
		{"message to an oversized address", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendmsg(0, &Msghdr{To: *oversized}, 0)
		}},
		{"name room too large", unix.EINVAL, func(s *SQE) error {
			return s.PrepRecvmsgMultishot(0, &Msghdr{NameRoom: sockaddrMax + 1}, 0, 0)
		}},
		{"negative first round", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendBundle(0, 0, 0, WithFirstRoundLimit(-1))
		}},
		{"vectorized zero-copy send", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendZC(0, []byte{1}, 0, cring.SendVectorized)
		}},
		{"no address", unix.EINVAL, func(s *SQE) error { return s.PrepConnect(0, nil) }},
		{"zero address", unix.EINVAL, func(s *SQE) error { return s.PrepBind(0, &Sockaddr{}) }},
		{"oversized address", unix.EINVAL, func(s *SQE) error { return s.PrepSendTo(0, nil, 0, oversized) }},
		{"nowhere for a name", unix.EINVAL, func(s *SQE) error { return s.PrepCmdGetsockname(0, nil, false) }},
		{"NUL in a path", unix.EINVAL, func(s *SQE) error { return s.PrepOpen("a\x00b", 0, 0) }},
		{"NUL in an attribute", unix.EINVAL, func(s *SQE) error { return s.PrepGetxattr("a\x00b", nil, "/") }},
		{"path too long", unix.ENAMETOOLONG, func(s *SQE) error { return s.PrepUnlink(long, 0) }},
		{"second path too long", unix.ENAMETOOLONG, func(s *SQE) error { return s.PrepRename("/a", long) }},
		{"nowhere for a statx", unix.EINVAL, func(s *SQE) error { return s.PrepStatx(0, "/", 0, 0, nil) }},
		{"nowhere for a pipe", unix.EINVAL, func(s *SQE) error { return s.PrepPipe(nil, 0) }},
		{"offset below -1", unix.EINVAL, func(s *SQE) error { return s.PrepRead(0, nil, -2) }},
		{"negative size", unix.EINVAL, func(s *SQE) error { return s.PrepFtruncate(0, -1) }},
		{"negative time", unix.EINVAL, func(s *SQE) error { return s.PrepTimeout(-time.Second, 0, 0) }},
		{"immediate time", unix.EINVAL, func(s *SQE) error {
			return s.PrepLinkTimeout(time.Second, cring.TimeoutImmediateArg)
		}},
		{"direct descriptor out of range", unix.EINVAL, func(s *SQE) error {
			return s.PrepAcceptDirect(0, nil, 0, cring.FileIndexAlloc-1)
		}},
		{"close of any direct descriptor", unix.EINVAL, func(s *SQE) error {
			return s.PrepCloseDirect(cring.FileIndexAlloc)
		}},
		{"negative direct descriptor", unix.EBADF, func(s *SQE) error { return s.PrepMsgRingFd(0, -1, 0, 0, 0) }},
		{"message that passes for an operation", unix.EINVAL, func(s *SQE) error {
			return s.PrepMsgRing(0, 0, uint64(s.ID()), 0)
		}},
		{"operation renamed", unix.EINVAL, func(s *SQE) error {
			return s.PrepPollUpdate(s.ID(), 1, 0, cring.PollUpdateUserData)
		}},
		{"no futex", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWait(nil, 0, 0, 0, 0) }},
		{"no futexes", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWaitv(nil, 0) }},
		{"too many futexes", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWaitv(make([]FutexWaiter, 129), 0) }},
		{"nowhere for events", unix.EINVAL, func(s *SQE) error { return s.PrepEpollWait(0, nil, 0) }},
		{"provided buffers beyond their memory", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 4, 3, 0, 0)
		}},
		{"provided buffers of no bytes", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 0, 1, 0, 0)
		}},
		{"provided buffers beyond the last id", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 1, 2, 0, math.MaxUint16)
		}},
		{"removal of no buffers", unix.EINVAL, func(s *SQE) error { return s.PrepRemoveBuffers(0, 0) }},
		{"destination of what is no send", unix.EINVAL, func(s *SQE) error {
			require.NoError(t, s.PrepNop())
			to := SockaddrVsock(1, 2)
			return s.PrepSendSetAddr(&to)
		}},
		{"no destination", unix.EINVAL, func(s *SQE) error {
			require.NoError(t, s.PrepSend(0, []byte{1}, 0))
			return s.PrepSendSetAddr(nil)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			err := row.prep(s)
			require.ErrorIs(t, err, row.want)
			require.ErrorContains(t, err, "uring: Prep")
			requireRefused(t, s, err)
		})
	}
}

func TestPrepWithoutAnEntry(t *testing.T) {
	to := SockaddrVsock(1, 2)
	submitted := testSQE(t)
	submitted.raw = nil // as after its submission
	for name, s := range map[string]*SQE{"nil": nil, "zero": {}, "submitted": submitted} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, s.PrepSend(0, []byte{1}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepReadv(0, [][]byte{{1}}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepConnect(0, &to), unix.EINVAL)
			require.ErrorIs(t, s.PrepSendmsg(0, &Msghdr{}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepSendSetAddr(&to), unix.EINVAL)
			require.ErrorIs(t, s.PrepTimeout(1, 0, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepFutexWait(new(uint32), 0, 0, 0, 0), unix.EINVAL)
			require.NoError(t, s.SetFlags(SQEAsync))
			s.Link()
			s.BufferSelect(1)
			s.SetPersonality(1)
		})
	}
}

// TestPrepAgain prepares an entry twice, the second time after a failure too: it holds what the last Prep needs.
func TestPrepAgain(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRename("/a", "/b"))
	require.Equal(t, 2, s.slot.pins)
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.Equal(t, 1, s.slot.pins)
	requireRefused(t, s, s.PrepSend(1, []byte{1}, -1))
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.Equal(t, slotFilling, s.slot.state)
	require.Equal(t, 1, s.slot.pins)
}
