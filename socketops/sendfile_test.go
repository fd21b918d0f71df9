//go:build linux

package socketops

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestTrySendFileSendsWhatTheSocketTakes(t *testing.T) {
	onEngines(t, testTrySendFileSendsWhatTheSocketTakes)
}

func testTrySendFileSendsWhatTheSocketTakes(t *testing.T, e *Engine) {
	data := pattern(testutil.Fewer(8, 2) << 20)
	f := fileOf(t, data)

	t.Run("A36 all of a small part", func(t *testing.T) {
		a, b := tcpPair(t, e)
		n, err := a.TrySendFile(f, 100, 1000)
		require.NoError(t, err)
		require.EqualValues(t, 1000, n)
		require.Equal(t, data[100:1100], receiveAll(t, b, 1000))
	})
	t.Run("A36 what goes in, and then would block", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		n, err := a.TrySendFile(f, 0, -1)
		require.NoError(t, err)
		require.Positive(t, n)
		require.Less(t, n, int64(len(data)))
		more, err := a.TrySendFile(f, n, -1)
		require.ErrorIs(t, err, ErrWouldBlock)
		require.Zero(t, more)
		require.Equal(t, data[:n], receiveAll(t, b, int(n)))
	})
	t.Run("A36 a file that ends before is a success", func(t *testing.T) {
		a, b := tcpPair(t, e)
		for _, tt := range []struct{ off, n, want int64 }{
			{int64(len(data)) - 10, 100, 10},
			{int64(len(data)), 100, 0},
			{int64(len(data)) + 5, 100, 0},
			{int64(len(data)) + 5, -1, 0},
			{5, 0, 0},
		} {
			n, err := a.TrySendFile(f, tt.off, tt.n)
			require.NoError(t, err)
			require.Equal(t, tt.want, n, "%+v", tt)
		}
		require.Equal(t, data[len(data)-10:], receiveAll(t, b, 10))
	})
	t.Run("A36 refusals", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		_, err := a.TrySendFile(f, -1, 1)
		require.ErrorIs(t, err, unix.EINVAL)
		_, err = a.TrySendFile(nil, 0, 1)
		require.ErrorIs(t, err, os.ErrInvalid)
		closed := fileOf(t, nil)
		require.NoError(t, closed.Close())
		_, err = a.TrySendFile(closed, 0, 1)
		require.ErrorIs(t, err, os.ErrClosed)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		defer w.Close()
		_, err = a.TrySendFile(r, 0, 1)
		require.ErrorIs(t, err, unix.ESPIPE)
		require.NoError(t, a.Close())
		_, err = a.TrySendFile(f, 0, 1)
		require.ErrorIs(t, err, ErrClosed)
	})
	t.Run("N40 a broken connection is EPIPE", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.NoError(t, b.Close())
		_, err := a.TrySendFile(f, 0, 10)
		require.ErrorIs(t, err, unix.EPIPE)
	})
}

func TestSendFileWaitsUntilAllHasLeft(t *testing.T) { onEngines(t, testSendFileWaitsUntilAllHasLeft) }

func testSendFileWaitsUntilAllHasLeft(t *testing.T, e *Engine) {
	data := pattern(6<<20 + 123)
	f := fileOf(t, data)

	t.Run("A49 a whole file", func(t *testing.T) {
		for _, pair := range []func() (*Socket, *Socket){
			func() (*Socket, *Socket) { return tcpPair(t, e) },
			func() (*Socket, *Socket) { return unixPair(t, e, unix.SOCK_STREAM) },
		} {
			a, b := pair()
			sent := make(chan int64)
			go func() {
				n, _ := a.SendFile(lateContext(t), f, 0, -1)
				sent <- n
			}()
			require.Equal(t, data, receiveAll(t, b, len(data)))
			require.EqualValues(t, len(data), <-sent)
			require.EqualValues(t, len(data), position(t, f), "the file's own offset moved")
		}
	})
	t.Run("A49 what was sent comes with the error", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		ctx := untilArrived(t, b, 0)
		n, err := a.SendFile(ctx, f, 0, -1)
		require.ErrorIs(t, err, ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
		require.Positive(t, n)
		require.Equal(t, data[:n], receiveAll(t, b, int(n)))
	})
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
	t.Run("N33 a file whose size the kernel does not tell", func(t *testing.T) {
		want, err := os.ReadFile("/proc/version")
		require.NoError(t, err)
		p, err := os.Open("/proc/version")
		require.NoError(t, err)
		defer p.Close()
		a, b := tcpPair(t, e)
		n, err := a.SendFile(lateContext(t), p, 0, -1)
		require.NoError(t, err)
		require.EqualValues(t, len(want), n)
		require.Equal(t, want, receiveAll(t, b, len(want)))
	})
}

func position(t testing.TB, f *os.File) int64 {
	t.Helper()
	at, err := f.Seek(0, 1)
	require.NoError(t, err)
	return at
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
	data := pattern(testutil.Fewer(4, 2) << 20)

	type result struct {
		n   int64
		err error
	}
	begin := func(s *Socket, f *os.File, off, n int64) (*Op, chan result) {
		results := make(chan result, 2)
		return s.GoSendFile(f, off, n, func(n int64, err error) { results <- result{n, err} }), results
	}
	t.Run("A84 success, though the file is closed", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		f := fileOf(t, data)
		_, results := begin(a, f, 0, -1)
		require.NoError(t, f.Close())
		require.Equal(t, data, receiveAll(t, b, len(data)))
		require.Equal(t, result{int64(len(data)), nil}, <-results)
		require.Never(t, func() bool { return len(results) > 0 }, soon, soon/4)
	})
	t.Run("A84 refused", func(t *testing.T) {
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		_, results := begin(a, fileOf(t, data), -1, 1)
		require.ErrorIs(t, (<-results).err, unix.EINVAL)
	})
	t.Run("A84 an error at once", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.NoError(t, b.Close())
		_, results := begin(a, fileOf(t, data), 0, 10)
		require.Equal(t, result{0, &OpError{"sendfile", unix.EPIPE}}, <-results)
	})
	t.Run("A84 cancelled after a part", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		op, results := begin(a, fileOf(t, data), 0, -1)
		op.Cancel()
		r := <-results
		require.ErrorIs(t, r.err, ErrCanceled)
		require.Positive(t, r.n)
		require.Equal(t, data[:r.n], receiveAll(t, b, int(r.n)))
	})
	t.Run("B34 in turn with other sends", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		_, results := begin(a, fileOf(t, data), 0, -1)
		a.GoSend([]byte("behind"), 0, func(int, error) {})
		require.Equal(t, append(data, "behind"...), receiveAll(t, b, len(data)+6))
		require.NoError(t, (<-results).err)
	})
	t.Run("A84 closed meanwhile", func(t *testing.T) {
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		_, results := begin(a, fileOf(t, data), 0, -1)
		time.AfterFunc(soon, func() { a.Close() })
		r := <-results
		require.ErrorIs(t, r.err, ErrClosed)
		require.Positive(t, r.n)
	})
}
