//go:build linux

package aio

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
)

// testedSource is a Source and a Sink that notes what it is told.
type testedSource struct {
	socket *Socket
	bufs   [][]byte
	err    error // what Next returns, once
	told   []any
}

func (s *testedSource) Socket() *Socket { return s.socket }

func (s *testedSource) Next() ([][]byte, error) { return s.bufs, s.err }

func (s *testedSource) Advance(n int) { s.told = append(s.told, n) }

func (s *testedSource) Done(err error) { s.told = append(s.told, "done", err) }

func (s *testedSource) WaitWritable() { s.told = append(s.told, "full") }

func (s *testedSource) WaitReadable() { s.told = append(s.told, "empty") }

// TestDriveSends (SPEC C01 to C03, C10, C11, C24): every way that a Source can go, in one queue and one submission.
func TestDriveSends(t *testing.T) {
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		broken := errors.New("broken")
		source := func(text string, err error) (*testedSource, int) {
			s, peer := pairOf(t, b, "unix")
			return &testedSource{socket: s, bufs: [][]byte{[]byte(text)}, err: err}, peer
		}
		sends, peer := source("all of it", nil)
		stopped, stoppedPeer := source("nothing of it", ErrStopped)
		failed, _ := source("nothing", broken)
		full, _ := source("no room", nil)
		fillUp(t, b, full.socket)
		short, shortPeer := source("", nil)
		short.bufs = [][]byte{pattern(4<<20, 0)}
		gone, far := source("to nobody", nil)
		require.NoError(t, unix.Close(far))
		closed, _ := source("into nothing", nil)
		empty, _ := source("", nil)
		last, lastPeer := source("the last", nil)
		require.NoError(t, unix.Close(closed.socket.FD()))
		queue := []Source{stopped, sends, failed, full, short, gone, closed, empty, last}

		before := stats(t, b)
		require.NoError(t, b.DriveSends(queue))
		require.Equal(t, before.Submits+1, stats(t, b).Submits)
		require.Equal(t, []any{9}, sends.told)
		require.Equal(t, "all of it", string(readFull(t, peer, 9)))
		require.Equal(t, []any{"done", nil}, stopped.told)
		require.Equal(t, []any{"done", broken}, failed.told)
		require.Equal(t, []any{"full"}, full.told)
		require.Len(t, short.told, 2)
		n := short.told[0].(int)
		require.Less(t, n, 4<<20)
		require.Equal(t, "full", short.told[1])
		require.Equal(t, pattern(4<<20, 0)[:n], readFull(t, shortPeer, n))
		require.Equal(t, "done", gone.told[0])
		require.ErrorIs(t, gone.told[1].(error), unix.EPIPE)
		require.ErrorIs(t, closed.told[1].(error), unix.EBADF)
		require.Equal(t, []any{0}, empty.told)
		require.Equal(t, []any{8}, last.told)
		require.Equal(t, "the last", string(readFull(t, lastPeer, 8)))
		_, _, err := unix.Recvfrom(stoppedPeer, make([]byte, 1), unix.MSG_DONTWAIT)
		require.ErrorIs(t, err, unix.EAGAIN, "nothing is sent for what was stopped")
	})
}

// TestDriveRecvs (SPEC C12, C31): data, the end of a stream, nothing, and what was stopped.
func TestDriveRecvs(t *testing.T) {
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		sink := func(err error) (*testedSource, int) {
			s, peer := pairOf(t, b, "unix")
			return &testedSource{socket: s, bufs: [][]byte{make([]byte, 3), make([]byte, 10)}, err: err}, peer
		}
		data, peer := sink(nil)
		_, err := unix.Write(peer, []byte("hello"))
		require.NoError(t, err)
		ended, far := sink(nil)
		require.NoError(t, unix.Close(far))
		nothing, _ := sink(nil)
		stopped, _ := sink(ErrStopped)
		roomless, _ := sink(nil)
		roomless.bufs = nil
		require.NoError(t, b.DriveRecvs([]Sink{data, ended, nothing, stopped, roomless}))
		require.Equal(t, []any{5}, data.told)
		require.Equal(t, "hello", string(data.bufs[0])+string(data.bufs[1][:2]))
		require.Equal(t, []any{"done", io.EOF}, ended.told)
		require.Equal(t, []any{"empty"}, nothing.told)
		require.Equal(t, []any{"done", nil}, stopped.told)
		require.ErrorIs(t, roomless.told[1].(error), ErrInvalid)
	})
}

// TestDriveTwiceInOneQueue (SPEC I7): Sources of one socket keep their order.
func TestDriveTwiceInOneQueue(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := pairOf(t, b, "unix")
	first := &testedSource{socket: s, bufs: [][]byte{[]byte("first ")}}
	second := &testedSource{socket: s, bufs: [][]byte{[]byte("second")}}
	require.NoError(t, b.DriveSends([]Source{first, second}))
	require.Equal(t, "first second", string(readFull(t, peer, 12)))
}

// meddler calls the Batcher from within a callback.
type meddler struct {
	testedSource
	b    *Batcher
	errs []error
}

func (m *meddler) Next() ([][]byte, error) {
	_, err := m.b.TrySend(nil, nil)
	m.errs = append(m.errs, err, m.b.Submit(), m.b.DriveSends(nil))
	m.errs = append(m.errs, m.b.Close(), m.b.Submit())
	return m.bufs, nil
}

// TestCallbacksCannotStartOver: they would find a batch half made. Close takes effect when the call ends.
func TestCallbacksCannotStartOver(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := pairOf(t, b, "unix")
	m := &meddler{testedSource: testedSource{socket: s, bufs: [][]byte{[]byte("sent")}}, b: b}
	require.NoError(t, b.DriveSends([]Source{m}))
	require.Equal(t, []any{4}, m.told)
	require.Equal(t, "sent", string(readFull(t, peer, 4)))
	for _, err := range m.errs[:3] {
		require.ErrorIs(t, err, ErrBusy)
	}
	require.NoError(t, m.errs[3])
	require.ErrorIs(t, m.errs[4], ErrClosed)
	require.True(t, b.closed)
}

// TestDrivingAllocatesNothing once all is warm.
func TestDrivingAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	b := newBatcher(t, 4)
	var queue []Source
	var peers []int
	for range 8 {
		s, peer := pairOf(t, b, "unix")
		queue = append(queue, &quietSource{testedSource{socket: s, bufs: [][]byte{make([]byte, 100)}}})
		peers = append(peers, peer)
	}
	sink := make([]byte, 200)
	round := func() {
		if err := b.DriveSends(queue); err != nil {
			t.Fatal(err)
		}
		for _, peer := range peers {
			if n, err := unix.Read(peer, sink); n != 100 {
				t.Fatal(n, err)
			}
		}
	}
	round()
	require.Zero(t, testing.AllocsPerRun(100, round))
}

// quietSource notes nothing.
type quietSource struct{ testedSource }

func (*quietSource) Advance(int) {}
