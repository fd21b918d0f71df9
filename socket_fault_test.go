//go:build linux

package uring

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// listenOnLoopback returns a socket that listens, and its address.
func listenOnLoopback(t testing.TB) (fd int, addr unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 16))
	addr, err = unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, addr
}

// dial returns a connection to addr.
func dial(t testing.TB, addr unix.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Connect(fd, addr))
	return fd
}

// reset closes a connection so that its peer gets an RST.
func reset(t testing.TB, fd int) {
	t.Helper()
	require.NoError(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	require.NoError(t, unix.Close(fd))
}

func TestPeerResetsWhileAReceiveWaits(t *testing.T) { // fault 78
	r := newTestRing(t, 4)
	a, b := testutil.SocketPair(t, "tcp4")
	recvOp(t, r, a, make([]byte, 64))
	_, err := r.Submit()
	require.NoError(t, err)
	reset(t, b)
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err(), unix.ECONNRESET)
}

func TestHalfClosedConnectionStillSends(t *testing.T) { // fault 78
	r := newTestRing(t, 4)
	a, b := testutil.SocketPair(t, "tcp4")
	require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
	for range 2 {
		recvOp(t, r, a, make([]byte, 64))
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Err())
		require.Zero(t, got[0].Res, "the end of the stream")
	}
	sendOp(t, r, a, []byte("still there"))
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err())
	require.Equal(t, "still there", string(readAll(t, b, int(got[0].Res))))
}

// TestMultishotAcceptWithoutDescriptorsEndsAndGoesOn has descriptors for one connection of two. The limit that counts
// is the one at the time of the submission: the kernel keeps it with the request.
func TestMultishotAcceptWithoutDescriptorsEndsAndGoesOn(t *testing.T) { // fault 79
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	caps, _ := Probe()
	testutil.SkipIfUnsupported(t, caps.Require(CanAcceptMultishot))
	r := newTestRing(t, 4)
	listener, addr := listenOnLoopback(t)
	accept := func() {
		queued(t, r, func(s *SQE) error { return s.PrepMultishotAccept(listener, unix.SOCK_CLOEXEC) })
	}
	dial(t, addr)
	second := dial(t, addr)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	one := uint64(lowestFreeFd(t)) + 1
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: one, Max: limit.Max}))
	accept()
	got := wait(t, r, 2)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	require.Len(t, got, 2)
	require.NoError(t, got[0].Err())
	require.True(t, got[0].More())
	require.ErrorIs(t, got[1].Err(), unix.EMFILE)
	require.False(t, got[1].More())
	require.NoError(t, unix.Close(int(got[0].Res)))

	accept()
	got = wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err(), "the connection is still in the backlog")
	_, err := unix.Write(second, []byte("hello"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(readAll(t, int(got[0].Res), 5)))
	require.NoError(t, unix.Close(int(got[0].Res)))
}

func TestClientThatIsGoneBeforeTheAccept(t *testing.T) { // fault 80
	r := newTestRing(t, 4)
	listener, addr := listenOnLoopback(t)
	reset(t, dial(t, addr))
	client := dial(t, addr)
	_, err := unix.Write(client, []byte("hello"))
	require.NoError(t, err)
	free := lowestFreeFd(t)
	var last []byte
	for range 2 { // Linux hands out the connection that was reset as well.
		queued(t, r, func(s *SQE) error { return s.PrepAccept(listener, nil, unix.SOCK_CLOEXEC) })
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Err())
		last = make([]byte, 64)
		recvOp(t, r, int(got[0].Res), last)
		read := wait(t, r, 1)
		require.Len(t, read, 1)
		if err := read[0].Err(); err != nil {
			require.ErrorIs(t, err, unix.ECONNRESET)
		} else {
			last = last[:read[0].Res]
		}
		require.NoError(t, unix.Close(int(got[0].Res)))
	}
	require.Equal(t, "hello", string(last))
	require.Equal(t, free, lowestFreeFd(t), "a descriptor is still open")
}

// TestRingCannotBePassedOn: a ring in flight through a socket that is in the ring could keep both alive for good.
func TestRingCannotBePassedOn(t *testing.T) { // fault 86
	r := newTestRing(t, 4)
	a, _ := testutil.SocketPair(t, "unix")
	err := unix.Sendmsg(a, []byte{1}, unix.UnixRights(r.Fd()), nil, 0)
	if err == nil {
		// Distributions have ported it back, since what it ends is a leak.
		testutil.SkipIfUnsupported(t, &UnsupportedError{
			Name: "refusal of a ring in a message", SinceMajor: 6, SinceMinor: 7, Provider: "kernel 6.7",
		})
	}
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestZeroCopySendToAPeerThatNeverReadsEndsWithIt(t *testing.T) { // faults 72 and 90
	caps, _ := Probe()
	testutil.SkipIfUnsupported(t, caps.Require(CanSendZC))
	for _, test := range []struct {
		name string
		end  func(t *testing.T, r *Ring, peer int, id OpID)
	}{
		{"the peer closes", func(t *testing.T, _ *Ring, peer int, _ OpID) { reset(t, peer) }},
		{"the send is cancelled, then the peer closes", func(t *testing.T, r *Ring, peer int, id OpID) {
			queueCancel(t, r, id)
			_, err := r.Submit()
			require.NoError(t, err)
			reset(t, peer)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			testutil.Timeout(t, time.Minute)
			r := newTestRing(t, 8)
			a, peer := testutil.SocketPair(t, "tcp4")
			// More than the buffers of both sockets hold, so that the request is waiting when the end comes.
			p := make([]byte, 64<<20)
			s := queued(t, r, func(s *SQE) error { return s.PrepSendZC(a, p, unix.MSG_WAITALL, 0) })
			id := s.ID()
			_, err := r.Submit()
			require.NoError(t, err)
			require.Positive(t, r.slots.live, "the memory is held")
			test.end(t, r, peer, id)
			var results, notifications int
			for r.slots.live > 0 {
				_, err := r.SubmitAndWait(context.Background(), 1)
				require.NoError(t, err)
				for _, c := range reapAll(r) {
					switch {
					case c.ID != id:
					case c.Flags&CQENotif != 0:
						notifications++
					default:
						results++
					}
				}
			}
			require.Equal(t, 1, results)
			require.Equal(t, 1, notifications)
		})
	}
}

// TestWriteBeyondTheFileSizeLimit: the kernel sends SIGXFSZ with EFBIG, to a thread that may be any.
func TestWriteBeyondTheFileSizeLimit(t *testing.T) { // fault 95
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	const limit = 4096
	r := newTestRing(t, 4)
	f, err := os.Create(filepath.Join(t.TempDir(), "limited"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}))
	p := make([]byte, 2*limit)
	for _, want := range []struct {
		offset int64
		n      int32
		err    error
	}{
		{offset: 0, n: limit},
		{offset: limit, err: unix.EFBIG},
	} {
		queued(t, r, func(s *SQE) error { return s.PrepWrite(int(f.Fd()), p, want.offset) })
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		if want.err != nil {
			require.ErrorIs(t, got[0].Err(), want.err)
		} else {
			require.Equal(t, want.n, got[0].Res)
		}
	}
	queued(t, r, func(s *SQE) error { return s.PrepRead(int(f.Fd()), p, 0) })
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.EqualValues(t, limit, got[0].Res, "a short read at the end of the file")
}
