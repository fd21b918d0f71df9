package epoll_test

//kerneltest:on it has nothing to do with io_uring

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/epoll"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

const hangLimit = 30 * time.Second

func newPoller(t *testing.T) *epoll.Poller {
	t.Helper()
	testutil.Timeout(t, hangLimit)
	p, err := epoll.New("test")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// told waits and returns what was found.
func told(t *testing.T, p *epoll.Poller) []epoll.Event {
	t.Helper()
	require.NoError(t, p.Wait())
	return found(t, p)
}

// looked is told without waiting.
func looked(t *testing.T, p *epoll.Poller) []epoll.Event {
	t.Helper()
	require.NoError(t, p.Look())
	return found(t, p)
}

// found returns what the last Wait or Look has found.
func found(t *testing.T, p *epoll.Poller) []epoll.Event {
	t.Helper()
	events := slices.Collect(p.Found())
	require.Equal(t, len(events) > 0, p.Any())
	return events
}

func TestChangesAreToldOnce(t *testing.T) {
	p := newPoller(t)
	a, b := testutil.SocketPair(t, "unix")
	require.NoError(t, p.Add(a, 7))
	events := told(t, p)
	require.Len(t, events, 1, "a socket is writable from the start")
	require.EqualValues(t, 7, events[0].Name())
	require.True(t, events[0].CanSend())
	require.False(t, events[0].CanReceive())
	require.Empty(t, looked(t, p), "edge-triggered")

	_, err := unix.Write(b, []byte("x"))
	require.NoError(t, err)
	events = told(t, p)
	require.Len(t, events, 1)
	require.True(t, events[0].CanReceive())

	require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
	require.True(t, told(t, p)[0].CanReceive(), "the end is something to receive")

	p.Remove(a)
	_, err = unix.Write(b, nil)
	require.Error(t, err)
	require.Empty(t, looked(t, p))
}

func TestPollEventsAreToldWhileTheyLast(t *testing.T) {
	p := newPoller(t)
	a, b := testutil.SocketPair(t, "unix")
	require.NoError(t, p.AddPoll(a, unix.POLLIN))
	require.Empty(t, looked(t, p), "what was not asked for is not told")
	_, err := unix.Write(b, []byte("x"))
	require.NoError(t, err)
	for range 3 {
		require.Len(t, told(t, p), 1)
	}
	_, err = unix.Read(a, make([]byte, 1))
	require.NoError(t, err)
	require.Empty(t, looked(t, p))
}

func TestWaitEnds(t *testing.T) {
	p := newPoller(t)
	require.NoError(t, p.Arm(time.Now().Add(time.Millisecond)))
	require.Empty(t, told(t, p), "the time that was armed")

	require.NoError(t, p.Arm(time.Time{}))
	p.Wake()
	require.Empty(t, told(t, p), "a wake before")

	require.NoError(t, p.Arm(time.Time{}))
	time.AfterFunc(time.Millisecond, p.Wake)
	require.Empty(t, told(t, p), "a wake meanwhile")

	require.NoError(t, p.Arm(time.Time{}))
	closed := make(chan error)
	time.AfterFunc(time.Millisecond, func() { closed <- p.Close() })
	require.ErrorIs(t, p.Wait(), os.ErrClosed)
	require.NoError(t, <-closed)
	require.ErrorIs(t, p.Wait(), os.ErrClosed)
	p.Wake()
}

func TestMoreThanOneWaitTellsOf(t *testing.T) {
	const sockets = 300
	p := newPoller(t)
	names := map[int32]bool{}
	for i := range int32(sockets / 2) {
		a, b := testutil.SocketPair(t, "unix")
		require.NoError(t, p.Add(a, 2*i))
		require.NoError(t, p.Add(b, 2*i+1))
	}
	for len(names) < sockets {
		for _, e := range told(t, p) {
			require.False(t, names[e.Name()], "told twice")
			names[e.Name()] = true
		}
	}
	require.Empty(t, looked(t, p))
}

func TestRefusedDescriptors(t *testing.T) {
	p := newPoller(t)
	file, err := unix.MemfdCreate("regular", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(file)
	require.ErrorIs(t, p.Add(file, 1), unix.EPERM, "always ready; files of overlayfs are taken all the same")
	require.ErrorIs(t, p.AddPoll(-1, unix.POLLIN), unix.EBADF)
	var call *os.SyscallError
	require.True(t, errors.As(p.Add(-1, 1), &call))
	require.Equal(t, "epoll_ctl", call.Syscall)
}

func TestWaitDoesNotAllocate(t *testing.T) {
	p := newPoller(t)
	a, b := testutil.SocketPair(t, "unix")
	require.NoError(t, p.Add(a, 7))
	told(t, p)
	buf := []byte("x")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = unix.Write(b, buf)
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
		for e := range p.Found() {
			if !e.CanReceive() {
				t.Error("not told what to do")
			}
		}
		_, _ = unix.Read(a, buf)
	}))
}
