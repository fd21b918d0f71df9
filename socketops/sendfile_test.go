//go:build linux

package socketops

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestSendFileWaitsUntilAllHasLeft(t *testing.T) { onEngines(t, testSendFileWaitsUntilAllHasLeft) }

func testSendFileWaitsUntilAllHasLeft(t *testing.T, e *Engine) {
	data := pattern(6<<20 + 123)
	f := fileOf(t, data)

	t.Run("B34 the write time-out ends it", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		a.writeTimeout.Store(int64(soon))
		n, err := a.SendFile(lateContext(t), f, 0, -1)
		require.ErrorIs(t, err, ErrTimeout)
		require.Positive(t, n)
		require.Equal(t, data[:n], receiveAll(t, b, int(n)))
	})
	t.Run("A19 read and sent where sendfile does not serve", func(t *testing.T) {
		a, b := tcpPair(t, e)
		o, err := newSendFile(f, 7, -1)
		require.NoError(t, err)
		defer unix.Close(o.fileFD)
		o.copied = make([]byte, copyMax)
		done := make(chan struct{})
		go func() {
			a.perform(lateContext(t), o, 0)
			close(done)
		}()
		require.Equal(t, data[7:], receiveAll(t, b, len(data)-7))
		<-done
		require.NoError(t, o.fault())
		require.Zero(t, o.left)
	})
}

func TestSendFileDoesWithoutTheSystemCall(t *testing.T) {
	if !testutil.InChild() { // The filter stays for the life of the process.
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.ENOSYS, unix.SYS_SENDFILE)
	t.Run("A19 ENOSYS", func(t *testing.T) {
		e := engine(t)
		data := pattern(1 << 20)
		f := fileOf(t, data)
		a, b := tcpPair(t, e)
		sent := make(chan int64, 1)
		a.GoSendFile(f, 0, -1, func(n int64, err error) { sent <- n })
		require.Equal(t, data, receiveAll(t, b, len(data)))
		require.EqualValues(t, len(data), <-sent)
		n, err := a.SendPackets(lateContext(t), []Packet{{File: f, Count: 9}, {File: f, Offset: 1, Count: 9}}, 0)
		require.NoError(t, err)
		require.EqualValues(t, 18, n)
		require.Equal(t, slices.Concat(data[:9], data[1:10]), receiveAll(t, b, 18))
	})
}

func TestGoSendFileCallsBackOnce(t *testing.T) { onEngines(t, testGoSendFileCallsBackOnce) }

func testGoSendFileCallsBackOnce(t *testing.T, e *Engine) {
	data := pattern(4 << 20)

	type result struct {
		n   int64
		err error
	}
	begin := func(s *Socket, f *os.File, off, n int64) (*Op, chan result) {
		results := make(chan result, 2)
		return s.GoSendFile(f, off, n, func(n int64, err error) { results <- result{n, err} }), results
	}
	t.Run("B34 in turn with other sends", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		_, results := begin(a, fileOf(t, data), 0, -1)
		a.GoSend([]byte("behind"), 0, func(int, error) {})
		require.Equal(t, append(data, "behind"...), receiveAll(t, b, len(data)+6))
		require.NoError(t, (<-results).err)
	})
}
