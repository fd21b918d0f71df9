//go:build linux

package faulttest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// openFiles is how many descriptors the process has open.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// TestConnectionStorm has far more clients connect than the backlog holds, of which most are gone before they are
// accepted: the listener outlives them all, who stays is served, and nothing is left.
func TestConnectionStorm(t *testing.T) { // fault 80
	clients := testutil.Fewer(3_400, 400) // for each of three engines
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		before := openFiles(t)
		l, at := listening(t, e, 16)

		// At first nobody accepts, so that the backlog is full and connects get no answer.
		unanswered := 0
		var early []*socketops.Socket
		for range 40 {
			s := tcp(t, e)
			if err := s.TryConnect(at); err != nil {
				require.ErrorIs(t, err, socketops.ErrInProgress)
			}
			early = append(early, s)
		}
		for _, s := range early {
			ready, err := s.Poll(lateContext(t), socketops.PollWrite, time.Millisecond)
			require.NoError(t, err)
			if !ready {
				unanswered++
			}
			require.NoError(t, s.Close())
		}
		require.Positive(t, unanswered, "the backlog was not full")

		var serving sync.WaitGroup
		var aborted atomic.Int32
		ended := make(chan error, 1)
		go func() {
			for {
				s, _, err := l.Accept(context.Background())
				switch {
				case errors.Is(err, unix.ECONNABORTED):
					aborted.Add(1)
					continue
				case err != nil:
					ended <- err
					return
				}
				serving.Add(1)
				go func() {
					defer serving.Done()
					defer s.Close()
					_ = s.SetDeadline(time.Now().Add(late))
					one := make([]byte, 1)
					if n, err := s.Recv(context.Background(), one, 0); err == nil && n == 1 {
						_, _ = s.Send(context.Background(), one, 0)
					}
				}()
			}
		}()
		var work sync.WaitGroup
		var next, served atomic.Int32
		failed := make(chan error, 64)
		for range testutil.Fewer(64, 16) {
			work.Add(1)
			go func() {
				defer work.Done()
				for i := int(next.Add(1)); i <= clients; i = int(next.Add(1)) {
					stays, err := client(at.String(), i)
					if err != nil {
						failed <- err
						return
					}
					if stays {
						served.Add(1)
					}
				}
			}()
		}
		work.Wait()
		select {
		case err := <-failed:
			require.NoError(t, err)
		case err := <-ended:
			require.NoError(t, err, "the listener did not outlive its clients")
		default:
		}
		require.EqualValues(t, clients/4, served.Load())
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-ended, socketops.ErrClosed)
		serving.Wait()
		require.Zero(t, e.Stats().SocketsOpen)
		require.Eventually(t, func() bool { return openFiles(t) <= before }, late, time.Millisecond)
		t.Logf("%d connects met a full backlog, %d accepts were aborted", unanswered, aborted.Load())
	})
}

// client connects, which takes longer each time that the backlog is full. Every fourth client stays for an answer; of
// the others most reset the connection, and some end it.
func client(at string, i int) (stays bool, err error) {
	c, err := (&net.Dialer{Timeout: 3 * late}).Dial("tcp4", at)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if i%40 != 1 {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	if i%4 != 0 {
		return false, nil
	}
	_ = c.SetDeadline(time.Now().Add(late))
	one := []byte{byte(i)}
	if _, err := c.Write(one); err != nil {
		return true, err
	}
	got := []byte{0}
	if _, err := io.ReadFull(c, got); err != nil {
		return true, err
	}
	if got[0] != one[0] {
		return true, errors.New("somebody else's answer")
	}
	return true, nil
}

// TestCrowdUnderProfilerAndTracer has thousands of goroutines send while the processor profile and the execution trace
// are taken, and in other runs of the tests under the race detector as well: each goroutine's messages come once, in
// order and whole.
func TestCrowdUnderProfilerAndTracer(t *testing.T) { // fault 112
	if !testutil.InChild() { // a process can have one profile and one trace
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	require.NoError(t, pprof.StartCPUProfile(io.Discard))
	defer pprof.StopCPUProfile()
	require.NoError(t, trace.Start(io.Discard))
	defer trace.Stop()
	const links, each, size = 50, 2, 16
	goroutines := testutil.Fewer(10_000, 1000)
	perLink := goroutines / links
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		failed := make(chan error, goroutines+links)
		var work sync.WaitGroup
		for range links {
			a, b, err := e.SocketPair(unix.SOCK_STREAM)
			require.NoError(t, err)
			defer a.Close()
			defer b.Close()
			require.NoError(t, a.SetSendBuffer(4096)) // so that most have to wait
			for sender := range perLink {
				work.Add(1)
				go func() {
					defer work.Done()
					for i := range each {
						message := make([]byte, size)
						binary.LittleEndian.PutUint32(message, uint32(sender))
						binary.LittleEndian.PutUint32(message[4:], uint32(i))
						copy(message[8:], "message.")
						if n, err := a.Send(context.Background(), message, 0); err != nil || n != size {
							failed <- errors.Join(err, io.ErrShortWrite)
						}
					}
				}()
			}
			work.Add(1)
			go func() {
				defer work.Done()
				next := make([]uint32, perLink)
				message := make([]byte, size)
				for range perLink * each {
					n, err := b.Recv(context.Background(), message, socketops.WaitAll)
					if err != nil || n != size || string(message[8:]) != "message." {
						failed <- errors.Join(err, errors.New("no message: "+string(message)))
						return
					}
					sender := binary.LittleEndian.Uint32(message)
					if i := binary.LittleEndian.Uint32(message[4:]); i != next[sender] {
						failed <- errors.New("a message is lost, doubled or out of order")
						return
					}
					next[sender]++
				}
			}()
		}
		work.Wait()
		select {
		case err := <-failed:
			require.NoError(t, err)
		default:
		}
		stats := e.Stats()
		require.EqualValues(t, links*perLink*each*size, stats.Sent.Bytes)
		require.EqualValues(t, links*perLink*each*size, stats.Received.Bytes)
		require.Zero(t, stats.Sent.Queued)
		require.Zero(t, stats.Received.Queued)
	})
}
