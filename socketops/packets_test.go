//go:build linux

package socketops

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSendPacketsSendsMemoryAndFilesInOrder(t *testing.T) {
	onEngines(t, testSendPacketsSendsMemoryAndFilesInOrder)
}

func testSendPacketsSendsMemoryAndFilesInOrder(t *testing.T, e *Engine) {
	data := pattern(3 << 20)
	f := fileOf(t, data)

	t.Run("A85 all kinds of elements", func(t *testing.T) {
		a, b := tcpPair(t, e)
		elems := []Packet{
			{Data: []byte("head")},
			{},
			{File: f, Offset: 10, Count: 20},
			{Data: []byte{}},
			{Path: f.Name()},
			{File: f, Offset: int64(len(data))},
			{File: f, Offset: int64(len(data)) - 5},
			{Data: []byte("tail")},
		}
		want := slices.Concat([]byte("head"), data[10:30], data, data[len(data)-5:], []byte("tail"))
		kept := slices.Clone(elems)
		got := make(chan []byte)
		go func() {
			p := make([]byte, len(want))
			n, _ := b.Recv(lateContext(t), p, WaitAll)
			got <- p[:n]
		}()
		n, err := a.SendPackets(lateContext(t), elems, 0)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		require.True(t, bytes.Equal(want, <-got))
		require.Equal(t, kept, elems, "the caller's list changed")
		_, err = f.Stat()
		require.NoError(t, err, "the caller's file was closed")
	})
	t.Run("A85 nothing", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		n, err := a.SendPackets(lateContext(t), nil, 0)
		require.NoError(t, err)
		require.Zero(t, n)
	})
	t.Run("A85 datagrams, also empty ones", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_DGRAM)
		n, err := a.SendPackets(lateContext(t), []Packet{{Data: []byte("one")}, {Data: []byte{}}, {Data: []byte("two")}}, 0)
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
		p := make([]byte, 10)
		for _, want := range []string{"one", "", "two"} {
			n, err := b.TryRecv(p, 0)
			require.NoError(t, err)
			require.Equal(t, want, string(p[:n]))
		}
	})
}

func TestSendPacketsReturnsWhatWasSentWithAnError(t *testing.T) {
	onEngines(t, testSendPacketsReturnsWhatWasSentWithAnError)
}

func testSendPacketsReturnsWhatWasSentWithAnError(t *testing.T, e *Engine) {
	data := pattern(1 << 20)
	f := fileOf(t, data)
	size := int64(len(data))
	missing := filepath.Join(t.TempDir(), "missing")

	for _, tt := range []struct {
		name string
		bad  Packet
		sent int64 // of the five bytes before it
		err  error
	}{
		{"A85 more than the file has", Packet{File: f, Count: size + 1}, 5, unix.EINVAL},
		{"A85 more than is left of the file", Packet{File: f, Offset: size - 1, Count: 2}, 5, unix.EINVAL},
		{"A85 behind the end of the file", Packet{File: f, Offset: size + 1}, 5, unix.EINVAL},
		{"A85 a path without a file", Packet{Path: missing}, 0, unix.ENOENT},
		{"A85 a negative offset", Packet{File: f, Offset: -1}, 0, unix.EINVAL},
		{"A85 a negative count", Packet{File: f, Count: -1}, 0, unix.EINVAL},
		{"A85 memory and a file", Packet{File: f, Data: []byte("x")}, 0, unix.EINVAL},
		{"A85 a part of memory", Packet{Data: []byte("xyz"), Count: 1}, 0, unix.EINVAL},
		{"A85 a part of nothing", Packet{Count: 1}, 0, unix.EINVAL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := tcpPair(t, e)
			list := []Packet{{Data: []byte("first")}, tt.bad, {Data: []byte("never")}}
			n, err := a.SendPackets(lateContext(t), list, PacketsDisconnect)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.sent, n)
			require.True(t, a.Connected(), "an error disconnects nothing")
			require.NoError(t, a.Shutdown(ShutWrite))
			require.Equal(t, "first"[:tt.sent], string(receiveAll(t, b, 100)))
		})
	}
	t.Run("A85 cancelled before anything", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		n, err := a.SendPackets(ctx, []Packet{{Data: []byte("x")}}, 0)
		require.Equal(t, ClassOperationAborted, Classify(err))
		require.Zero(t, n)
	})
	t.Run("A85 cancelled in a file", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		n, err := a.SendPackets(untilArrived(t, b, 5), []Packet{{Data: []byte("first")}, {File: f}, {File: f}}, 0)
		require.ErrorIs(t, err, ErrCanceled)
		require.Greater(t, n, int64(5))
		require.Equal(t, slices.Concat([]byte("first"), data, data)[:n], receiveAll(t, b, int(n)))
		var op *OpError
		require.ErrorAs(t, err, &op)
		require.Equal(t, "sendfile", op.Op)
	})
	t.Run("A85 not all on a socket that does not wait", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.NoError(t, a.SetBlocking(false))
		n, err := a.SendPackets(lateContext(t), []Packet{{File: f}, {Data: data}}, PacketsDisconnect)
		require.ErrorIs(t, err, ErrWouldBlock)
		require.Positive(t, n)
		require.True(t, a.Connected())
		require.Equal(t, data[:n], receiveAll(t, b, int(n)))
	})
	t.Run("A85 a broken connection", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.NoError(t, b.Close())
		_, err := a.SendPackets(lateContext(t), []Packet{{Data: []byte("x")}}, 0)
		require.Equal(t, &OpError{"send", unix.EPIPE}, err)
		_, err = a.SendPackets(lateContext(t), []Packet{{File: f}}, 0)
		require.Equal(t, &OpError{"sendfile", unix.EPIPE}, err)
	})
	t.Run("A85 closed", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		require.NoError(t, a.Close())
		_, err := a.SendPackets(lateContext(t), []Packet{{Data: []byte("x")}}, 0)
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestSendPacketsClosesTheFilesThatItOpened(t *testing.T) {
	onEngines(t, testSendPacketsClosesTheFilesThatItOpened)
}

func testSendPacketsClosesTheFilesThatItOpened(t *testing.T, e *Engine) {
	f := fileOf(t, pattern(100))
	for name, list := range map[string][]Packet{
		"A85 on success":      {{File: f}, {Path: f.Name()}},
		"A85 on an error":     {{File: f}, {Path: f.Name()}, {Path: f.Name() + "-missing"}},
		"A85 on a late error": {{Path: f.Name()}, {Path: f.Name(), Count: 1000}, {File: f}},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := tcpPair(t, e)
			before := openDescriptors(t)
			_, _ = a.SendPackets(lateContext(t), list, 0)
			require.Equal(t, before, openDescriptors(t))
		})
	}
}

func TestSendPacketsIsContiguous(t *testing.T) { onEngines(t, testSendPacketsIsContiguous) }

func testSendPacketsIsContiguous(t *testing.T, e *Engine) {
	t.Run("B35", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		data := bytes.Repeat([]byte("p"), 300<<10)
		f := fileOf(t, data)
		const senders, lists = 4, 5
		errs := make(chan error, senders+1)
		go func() {
			var err error
			for range lists {
				_, e := a.SendPackets(lateContext(t), []Packet{{Data: data}, {File: f}, {Data: data}}, 0)
				err = errors.Join(err, e)
			}
			errs <- err
		}()
		const other = 50
		for range senders {
			go func() {
				var err error
				for range other {
					_, e := a.Send(lateContext(t), []byte("other!"), 0)
					err = errors.Join(err, e)
				}
				errs <- err
			}()
		}
		got := receiveAll(t, b, lists*3*len(data)+senders*other*6)
		for range senders + 1 {
			require.NoError(t, <-errs)
		}
		got = bytes.ReplaceAll(got, []byte("other!"), []byte{0})
		runs := bytes.FieldsFunc(got, func(r rune) bool { return r == 0 })
		for _, run := range runs {
			require.Zero(t, len(run)%(3*len(data)), "something came in between")
		}
	})
}

func TestSendPacketsDisconnectsAfterAll(t *testing.T) {
	onEngines(t, testSendPacketsDisconnectsAfterAll)
}

func testSendPacketsDisconnectsAfterAll(t *testing.T, e *Engine) {
	for _, tt := range []struct {
		name  string
		opt   SendPacketsOptions
		reuse bool
	}{
		{"A85 disconnect", PacketsDisconnect, false},
		{"A85 reuse", PacketsReuseSocket, true},
		{"A85 both", PacketsDisconnect | PacketsReuseSocket, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := tcpPair(t, e)
			n, err := a.SendPackets(lateContext(t), []Packet{{Data: []byte("bye")}}, tt.opt)
			require.NoError(t, err)
			require.EqualValues(t, 3, n)
			require.Equal(t, "bye", string(receiveAll(t, b, 100)))
			_, to := listeningTCP(t, e)
			err = a.Connect(lateContext(t), to)
			if tt.reuse {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, unix.EISCONN)
			}
		})
	}
	t.Run("A85 unknown options", func(t *testing.T) {
		a, b := tcpPair(t, e)
		_, err := a.SendPackets(lateContext(t), []Packet{{Data: []byte("x")}}, 4)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.Equal(t, ClassOperationNotSupported, Classify(err))
		_, err = b.TryRecv(make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
	})
}
