//go:build linux

package main

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		o.connsMax = 2
		s := serve(t, "unix")
		p := start(t, o, "tcp", s.at)
		first, target := p.pair(t, s)
		p.pair(t, s)
		for range 3 {
			p.expectRefusal(t)
		}
		require.Equal(t, connCounts{Open: 2, Total: 2, Refused: 3}, p.snapshot(nil).Conns)

		send(t, first, "still served")
		expect(t, target, "still served")
		first.Close()
		target.Close()
		eventually(t, "there is room again", func() bool { return p.stats.open.Load() == 1 })
		client, target := p.pair(t, s)
		send(t, client, "served")
		expect(t, target, "served")
	})
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := serve(t, "tcp")
	o := options{engine: socketops.BackendSyscall, copy: copyAuto, idle: time.Second}
	p := start(t, o, "tcp", s.at)
	client, target := p.pair(t, s)
	var last time.Time
	for begin := time.Now(); time.Since(begin) < o.idle*3/2; { // which it survives
		last = time.Now()
		send(t, client, "here")
		expect(t, target, "here")
		time.Sleep(o.idle / 50)
	}
	expectReset(t, client)
	expectReset(t, target)
	require.GreaterOrEqual(t, time.Since(last), o.idle)
	eventually(t, "it is counted", func() bool { return p.errorsOf("idle TimedOut") == 1 })
}

func TestTargetThatCannotBeReached(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		tcp := serve(t, "tcp")
		require.NoError(t, tcp.Close())
		for at, kind := range map[endpoint]string{
			tcp.at: "connect ConnectionRefused",
			{network: "unix", path: filepath.Join(t.TempDir(), "none")}: "connect AddressNotAvailable",
		} {
			p := start(t, o, "tcp", at)
			p.expectRefusal(t)
			eventually(t, "it is counted", func() bool { return p.errorsOf(kind) == 1 })
			require.NoError(t, p.stop())
		}
	})
}

// TestTargetThatDoesNotAccept holds that connecting ends in time: the queue of a unix socket that nobody accepts from
// is full soon.
func TestTargetThatDoesNotAccept(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		o.connectTimeout = 100 * time.Millisecond
		at := endpoint{network: "unix", path: filepath.Join(t.TempDir(), "full")}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: at.path}))
		require.NoError(t, unix.Listen(fd, 0))
		dialTo(t, at)
		p := start(t, o, "tcp", at)
		p.expectRefusal(t)
		eventually(t, "it is counted", func() bool { return p.errorsOf("connect TimedOut") == 1 })
	})
}

// TestNoMoreDescriptors holds that connections for which there are no descriptors wait until there are some.
func TestNoMoreDescriptors(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, hangLimit)
	s := serve(t, "unix")
	p := start(t, options{copy: copyAuto, engine: socketops.BackendSyscall}, "tcp", s.at)
	defer func() {
		if t.Failed() {
			t.Logf("the proxy: %+v", p.snapshot(nil))
		}
	}()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(client)

	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	next, err := unix.Dup(client) // which has the lowest number that is free
	require.NoError(t, err)
	require.NoError(t, unix.Close(next))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next), Max: limit.Max}))
	for { // Whoever has closed a lower one since must not have it back either.
		fd, err := unix.Dup(client)
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			break
		}
		defer unix.Close(fd)
	}
	at := &unix.SockaddrInet4{Port: int(p.fronts[0].at.port), Addr: [4]byte{127, 0, 0, 1}}
	require.NoError(t, unix.Connect(client, at))
	eventually(t, "there are none", func() bool { return p.errorsOf("accept TooManyOpenSockets") > 0 })
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))

	target := s.take(t)
	_, err = unix.Write(client, []byte("late"))
	require.NoError(t, err)
	expect(t, target, "late")
}

// TestSpliceThatIsRefusedLeavesBuffers holds that what splice(2) does not serve is copied, where the mode is auto.
func TestSpliceThatIsRefusedLeavesBuffers(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_SPLICE)
	for mode, works := range map[copyMode]bool{copyAuto: true, copySplice: false} {
		s := serve(t, "tcp")
		p := start(t, options{copy: mode, engine: socketops.BackendSyscall}, "tcp", s.at)
		if works {
			client, target := p.pair(t, s)
			require.NoError(t, exchange(client, target, 1, 1<<20))
			continue
		}
		p.expectRefusal(t)
		eventually(t, "it is counted", func() bool { return len(p.snapshot(nil).Errors) == 1 })
	}
}

// TestSocketThatWasLeftIsReplaced holds that the path of a server that was killed can be listened on, and that of one
// that lives cannot.
func TestSocketThatWasLeftIsReplaced(t *testing.T) {
	at := endpoint{network: "unix", path: filepath.Join(t.TempDir(), "left")}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at.path, Net: "unix"})
	require.NoError(t, err)
	o := &options{listen: []endpoint{at}, to: []endpoint{at}, engine: socketops.BackendSyscall, buffer: bufferMin}
	_, err = newProxy(o)
	require.ErrorIs(t, err, unix.EADDRINUSE)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())

	p, err := newProxy(o)
	require.NoError(t, err)
	require.NoError(t, p.close())
	_, err = net.Dial("unix", at.path)
	require.ErrorIs(t, err, unix.ENOENT)
}

func TestAllAddressesAreListenedOn(t *testing.T) {
	s := serve(t, "unix")
	o := options{
		listen: []endpoint{{network: "tcp"}, {network: "unix", path: "@" + filepath.Join(t.TempDir(), "abstract")}},
		to:     []endpoint{s.at, s.at}, engine: socketops.BackendSyscall, buffer: bufferMin, drain: patience,
	}
	p := launch(t, o)
	for _, f := range p.fronts {
		at := f.at
		if at.network == "tcp" {
			at.host = "127.0.0.1"
		}
		client := dialTo(t, at)
		target := s.take(t)
		send(t, client, f.at.network)
		closeWrite(t, client)
		got, err := io.ReadAll(target)
		require.NoError(t, err)
		require.Equal(t, f.at.network, string(got))
		client.Close()
		target.Close()
	}
}
