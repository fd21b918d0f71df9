//go:build linux && cgo

package uring

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/cring/cprep"
	"github.com/sockring/uring/internal/testutil"
)

func TestFlagsEqualC(t *testing.T) {
	p := []byte{1, 2, 3}
	for _, row := range []struct {
		name  string
		set   func(s *SQE)
		flags uint64
	}{
		{"FixedFile", (*SQE).FixedFile, cring.SQEFixedFile},
		{"Drain", (*SQE).Drain, cring.SQEIODrain},
		{"Link", (*SQE).Link, cring.SQEIOLink},
		{"HardLink", (*SQE).HardLink, cring.SQEIOHardlink},
		{"Async", (*SQE).Async, cring.SQEAsync},
		{"SetFlags", func(s *SQE) { require.NoError(t, s.SetFlags(SQEAsync|SQEFixedFile)) }, 1<<4 | 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			require.NoError(t, s.PrepRecv(4, p, 5))
			row.set(s)
			want := cring.SQE{UserData: s.raw.UserData}
			require.True(t, cprep.Call(&want, "io_uring_prep_recv", vals(4, p, len(p), 5)...))
			require.True(t, cprep.Apply(&want, "io_uring_sqe_set_flags", row.flags))
			require.Equal(t, want, *s.raw)
		})
	}
}

func TestPrepSendSetAddrEqualsC(t *testing.T) {
	p, to := []byte{1, 2, 3}, SockaddrVsock(2, 1024)
	s := testSQE(t)
	require.NoError(t, s.PrepSendZC(4, p, 5, cring.SendZCReportUsage))
	require.NoError(t, s.PrepSendSetAddr(&to))
	want := cring.SQE{UserData: s.raw.UserData}
	require.True(t, cprep.Call(&want, "io_uring_prep_send_zc", vals(4, p, len(p), 5, cring.SendZCReportUsage)...))
	require.True(t, cprep.Apply(&want, "io_uring_prep_send_set_addr", s.raw.Off, uint64(to.Len())))
	require.Equal(t, want, *s.raw)
	require.Equal(t, to.Bytes(), cprep.Memory(s.raw.Off, to.Len()))
}

func TestBufferSelectEqualsC(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRecv(4, nil, 0))
	s.BufferSelect(77)
	require.NoError(t, s.SetLen(1000))
	want := cring.SQE{UserData: s.raw.UserData}
	require.True(t, cprep.Call(&want, "io_uring_prep_recv", 4, 0, 1000, 0))
	require.True(t, cprep.Apply(&want, "io_uring_sqe_set_flags", cring.SQEBufferSelect))
	if cprep.Has("io_uring_sqe_set_buf_group") {
		require.True(t, cprep.Apply(&want, "io_uring_sqe_set_buf_group", 77))
	}
	want.BufIndex = 77
	require.Equal(t, want, *s.raw)
}

func TestSetFlagsRefuses(t *testing.T) {
	for name, f := range map[string]SQEFlags{"skipped CQE": cring.SQECQESkipSuccess, "unknown": 1 << 7} {
		t.Run(name, func(t *testing.T) {
			s := testSQE(t)
			require.NoError(t, s.PrepNop())
			before := *s.raw
			require.ErrorIs(t, s.SetFlags(f|SQEAsync), unix.EINVAL)
			require.Equal(t, before, *s.raw)
		})
	}
}

// TestSetFlagsKeepsWhatPrepSet: a bundle that lost its buffer group would send nothing, without an error.
func TestSetFlagsKeepsWhatPrepSet(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepSendBundle(1, 2, 0))
	require.NoError(t, s.SetFlags(0))
	require.EqualValues(t, cring.SQEBufferSelect, s.raw.Flags)
}

func TestSetIOPrio(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.NoError(t, s.SetIOPrio(cring.RecvSendPollFirst))
	require.EqualValues(t, cring.RecvSendPollFirst, s.raw.IOPrio)
	require.ErrorIs(t, s.SetIOPrio(cring.RecvSendBundle), unix.EINVAL, "no buffer group")
	require.ErrorIs(t, s.SetIOPrio(cring.SendVectorized), unix.EINVAL)
	require.EqualValues(t, cring.RecvSendPollFirst, s.raw.IOPrio)
	s.BufferSelect(1)
	require.NoError(t, s.SetIOPrio(cring.RecvSendBundle))
	require.EqualValues(t, cring.RecvSendPollFirst|cring.RecvSendBundle, s.raw.IOPrio)
}

func TestSetLenRefuses(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRecv(1, []byte{1}, 0))
	require.ErrorIs(t, s.SetLen(2), unix.EINVAL, "longer than the memory")
	s.BufferSelect(1)
	require.ErrorIs(t, s.SetLen(-1), unix.EINVAL)
	require.ErrorIs(t, s.SetLen(ioLenMax+1), unix.EINVAL)
	require.EqualValues(t, 1, s.raw.Len)
}

func TestFailedEntryStaysANop(t *testing.T) {
	s := testSQE(t)
	err := s.PrepSend(1, nil, -1)
	s.Link()
	s.FixedFile()
	s.BufferSelect(3)
	s.SetPersonality(4)
	require.NoError(t, s.SetIOPrio(1))
	require.NoError(t, s.SetLen(1))
	requireRefused(t, s, err)
}

// TestLinkedSendIsSentWhole sends more than the socket takes. Alone that is a short send and a success; with another
// operation linked to it, it must not be.
func TestLinkedSendIsSentWhole(t *testing.T) {
	for _, linked := range []bool{false, true} {
		r := newTestRing(t, 4)
		a, _ := testutil.SocketPair(t, "unix")
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepSend(a, make([]byte, 8<<20), unix.MSG_DONTWAIT))
		s.SetData64(1)
		if linked {
			s.Link()
		}
		nop(t, r, 2)
		_, err = r.SubmitAndWait(context.Background(), 2)
		require.NoError(t, err)
		res := map[uint64]int32{}
		for c := range r.Completions() {
			res[c.Data64] = c.Res
		}
		require.Len(t, res, 2)
		require.Less(t, res[1], int32(8<<20), "the socket took it all")
		if linked {
			require.Equal(t, -int32(unix.ECANCELED), res[2], "the linked operation followed a short send")
		} else {
			require.Zero(t, res[2])
		}
	}
}

func TestSQEFlagsString(t *testing.T) {
	require.Equal(t, "IO_LINK|ASYNC", (SQEIOLink | SQEAsync).String())
	require.Equal(t, "0", SQEFlags(0).String())
}
