//go:build linux

package faulttest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/enginetest"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// TestSetupBeyondLockedMemory has a user ask for a ring that RLIMIT_MEMLOCK does not allow, on kernels that count
// rings.
func TestSetupBeyondLockedMemory(t *testing.T) { // fault 7
	testutil.NeedsOtherUser(t)
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	before := openFiles(t)
	testutil.LimitMemlock(t, 54330, 64<<10)
	r, err := uring.New(4096)
	if err == nil {
		require.NoError(t, r.Close())
		testutil.Skip(t, testutil.NeedsLockedRings, "this kernel counts none")
	}
	testutil.SkipIfUnsupported(t, err)
	require.ErrorIs(t, err, unix.ENOMEM)
	require.ErrorContains(t, err, "RLIMIT_MEMLOCK")
	require.NotErrorIs(t, err, errors.ErrUnsupported, "a smaller ring is to be had")
	require.Equal(t, before, openFiles(t))
	for begun := time.Now(); errors.Is(err, unix.ENOMEM) && time.Since(begun) < late; time.Sleep(10 * time.Millisecond) {
		r, err = uring.New(4) // what the attempt held may come back after a while
	}
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

// TestZeroCopySendsWithoutMemory has zero-copy sends need more locked memory than their user may have, or more memory
// than their control group has: each ends, with an error or well, copying sends go on, and nothing is left.
func TestZeroCopySendsWithoutMemory(t *testing.T) { // fault 91
	const message = 1 << 20
	t.Run("locked memory", func(t *testing.T) {
		testutil.NeedsOtherUser(t)
		if !testutil.InChild() {
			child := testutil.ReExec(t, t.Name())
			require.Zero(t, child.ExitCode, child.Output)
			return
		}
		testutil.LimitMemlock(t, 54331, 256<<10)
		r := zeroCopyRing(t)
		a, received := sink(t)
		n, _, err := r.SendZC(lateContext(t), a, noise(1, message), 0)
		require.ErrorIs(t, err, unix.ENOMEM)
		require.Zero(t, n)
		require.Zero(t, r.Stats().InFlight)
		n, err = r.Send(lateContext(t), a, noise(1, message), unix.MSG_WAITALL)
		require.NoError(t, err, "what is copied goes on")
		require.Equal(t, message, n)
		n, _, err = r.SendZC(lateContext(t), a, noise(2, 4096), unix.MSG_WAITALL)
		require.NoError(t, err, "and so does what there is memory for")
		require.Equal(t, 4096, n)
		require.Zero(t, r.Stats().InFlight)
		require.NoError(t, r.Close())
		requireReceived(t, a, received, noise(1, message), noise(2, 4096))
	})
	t.Run("control group", func(t *testing.T) {
		if !testutil.InChild() {
			enter, group := controlGroup(t, map[string]string{"memory.max": "48M", "memory.swap.max": "0"})
			child := testutil.ReExecAs(t, t.Name(), enter, "GOMEMLIMIT=24MiB")
			require.Zero(t, child.ExitCode, child.Output)
			require.Zero(t, groupEvents(t, group)["oom_kill"])
			return
		}
		r := zeroCopyRing(t)
		const links = 8
		rounds := testutil.Fewer(4, 1)
		var fds [links]int
		var received [links]<-chan []byte
		for i := range fds {
			fds[i], received[i] = sink(t)
		}
		data := noise(3, message)
		var sent [links][][]byte
		for range rounds {
			for i, fd := range fds {
				n, _, err := r.SendZC(lateContext(t), fd, data, unix.MSG_WAITALL)
				if errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS) {
					var k int
					k, err = r.Send(lateContext(t), fd, data[n:], unix.MSG_WAITALL)
					n += k
				}
				require.NoError(t, err)
				require.Equal(t, message, n)
				sent[i] = append(sent[i], data)
			}
		}
		require.Zero(t, r.Stats().InFlight)
		require.NoError(t, r.Close())
		for i, fd := range fds {
			requireReceived(t, fd, received[i], sent[i]...)
		}
	})
}

// zeroCopyRing makes a ring that can send without copying.
func zeroCopyRing(t *testing.T) *uring.Ring {
	t.Helper()
	r, err := uring.New(4)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	ops, err := r.Probe()
	require.NoError(t, err)
	if !ops.Has(cring.OpSendZC) {
		testutil.SkipIfUnsupported(t, &uring.UnsupportedError{
			Name: uring.CanSendZC, Provider: "kernel 6.0", SinceMajor: 6, SinceMinor: 0,
		})
	}
	return r
}

// sink makes a TCP connection, and receives on it until its end. What was received comes as a digest.
func sink(t *testing.T) (fd int, received <-chan []byte) {
	t.Helper()
	a, b := testutil.SocketPair(t, "tcp4")
	digest := make(chan []byte, 1)
	go func() {
		sum := sha256.New()
		buffer := make([]byte, 32<<10)
		for {
			n, err := unix.Read(b, buffer)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				digest <- sum.Sum(nil)
				return
			}
			sum.Write(buffer[:n])
		}
	}()
	return a, digest
}

// requireReceived ends a connection of sink and requires that all of what was sent has arrived.
func requireReceived(t *testing.T, fd int, received <-chan []byte, sent ...[]byte) {
	t.Helper()
	require.NoError(t, unix.Shutdown(fd, unix.SHUT_WR))
	sum := sha256.New()
	for _, b := range sent {
		sum.Write(b)
	}
	require.Equal(t, sum.Sum(nil), <-received)
}

// TestOverloadInASmallControlGroup has clients send to an echo server, and not read, until nothing more is taken from
// any of them. The server, which has 64 MB for itself and its sockets, stays within, and then serves them all. It
// bounds the kernel's buffers, as docs/testing.md has it.
func TestOverloadInASmallControlGroup(t *testing.T) { // fault 114
	const memory = 64 << 20
	if testutil.InChild() {
		serveInLittleMemory(t)
		return
	}
	testutil.NeedsOwnMachine(t)
	for _, backend := range enginetest.Backends(t) {
		t.Run(string(backend), func(t *testing.T) {
			testutil.Timeout(t, 5*time.Minute)
			enter, group := controlGroup(t, map[string]string{
				"memory.max": strconv.Itoa(memory), "memory.swap.max": "0",
			})
			p := command(t, "TestOverloadInASmallControlGroup", engineVariable+"="+string(backend), "GOMEMLIMIT=32MiB")
			enter(p.Cmd)
			require.NoError(t, p.Start())
			at := p.await(t, "listening")
			clients := testutil.Fewer(16, 6)
			var all sync.WaitGroup
			failed := make(chan error, clients)
			taken := make(chan int, clients)
			for i := range clients {
				all.Add(1)
				go func() {
					defer all.Done()
					n, err := overload(at, i)
					taken <- n
					failed <- err
				}()
			}
			total := 0
			for range clients {
				total += <-taken
				require.NoError(t, <-failed)
			}
			all.Wait()
			_, err := fmt.Fprintln(p.in, "enough")
			require.NoError(t, err)
			resident, err := strconv.Atoi(p.await(t, "resident"))
			require.NoError(t, err)
			require.True(t, p.end(t).Success(), p.log.String())
			require.Less(t, resident, memory)
			require.Zero(t, groupEvents(t, group)["oom_kill"])
			t.Logf("%d bytes were taken at once, the server had %d", total, resident)
		})
	}
}

// overload sends to an echo server until that takes nothing more, and then reads what it sent. It returns how much that
// was.
func overload(at string, i int) (int, error) {
	const (
		stall = time.Second // in which nothing is taken
		most  = 64 << 20    // of which a server without bounds takes all
	)
	c, err := net.Dial("tcp4", at)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	data := noise(i, 64<<10)
	sum := sha256.New()
	total := 0
	for total < most {
		_ = c.SetWriteDeadline(time.Now().Add(stall))
		n, err := c.Write(data)
		sum.Write(data[:n])
		total += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return total, readBack(c, total, sum)
		}
		if err != nil {
			return total, err
		}
	}
	return total, errors.New("the server takes whatever it is sent")
}

// readBack reads so many bytes, which have to have the digest.
func readBack(c net.Conn, n int, sum hash.Hash) error {
	_ = c.SetReadDeadline(time.Now().Add(2 * late))
	got := sha256.New()
	if _, err := io.CopyN(got, c, int64(n)); err != nil {
		return err
	}
	if string(got.Sum(nil)) != string(sum.Sum(nil)) {
		return errors.New("the echo is not what was sent")
	}
	return nil
}

// serveInLittleMemory echoes until it is told that it is enough, and prints how much memory it had at most.
func serveInLittleMemory(t *testing.T) {
	e, err := socketops.New(socketops.WithBackend(socketops.Backend(os.Getenv(engineVariable))))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	l, at := listening(t, e, 64)
	// The kernel counts a socket's buffers towards the group, and rather kills a process than to let it wait for them.
	require.NoError(t, l.SetSendBuffer(128<<10))
	require.NoError(t, l.SetRecvBuffer(128<<10))
	go func() {
		for {
			s, _, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				defer s.Close()
				echo(s)
			}()
		}
	}()
	fmt.Println("listening", at)
	told()
	status, err := os.Open("/proc/self/status")
	require.NoError(t, err)
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
			require.NoError(t, err)
			fmt.Println("resident", kilobytes<<10)
		}
	}
	require.NoError(t, l.Close())
	require.NoError(t, e.Close())
}
