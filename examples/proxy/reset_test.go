//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// expectReset is that a connection is cut off. A unix socket has no reset: it ends, one way or another.
func expectReset(t testing.TB, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if _, tcp := c.(*net.TCPConn); tcp {
		require.ErrorIs(t, err, unix.ECONNRESET)
	} else if err != nil {
		require.ErrorIs(t, err, unix.ECONNRESET)
	}
}

// expectRefusal is that the proxy resets a connection, which can be before the client has learned that it is made.
func (r *running) expectRefusal(t testing.TB) {
	t.Helper()
	at := r.fronts[0].at.String()
	c, err := net.Dial("tcp", at[len("tcp:"):])
	if err == nil {
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, unix.ECONNRESET)
}

// cutWithUnread ends a connection by a reset, which unix sockets make of one that is closed before all was received.
func (r *running) cutWithUnread(t *testing.T, c, peer net.Conn) {
	t.Helper()
	before := r.stats.toTarget.Load() + r.stats.toClient.Load()
	send(t, peer, "unread")
	eventually(t, "the bytes are passed on", func() bool {
		return r.stats.toTarget.Load()+r.stats.toClient.Load() == before+int64(len("unread"))
	})
	cut(t, c)
}

func TestResetIsPassedOn(t *testing.T) {
	onNetworks(t, func(t *testing.T, o options, clients, targets string) {
		s := serve(t, targets)
		p := start(t, o, clients, s.at)

		client, target := p.pair(t, s)
		p.cutWithUnread(t, client, target)
		expectReset(t, target)
		eventually(t, "it is counted", func() bool { return p.errorsOf("client ConnectionReset") == 1 })

		client, target = p.pair(t, s)
		p.cutWithUnread(t, target, client)
		expectReset(t, client)
		eventually(t, "it is counted", func() bool { return p.errorsOf("target ConnectionReset") == 1 })
		eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })
	})
}

// TestResetAfterTheEndIsPassedOn holds that a peer's reset is noticed though it has ended its stream, and no receive
// would tell of it.
func TestResetAfterTheEndIsPassedOn(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "tcp")
		p := start(t, o, "tcp", s.at)
		client, target := p.pair(t, s)
		closeWrite(t, client)
		expectEnd(t, target)
		cut(t, client)
		eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })
		send := func() error {
			_, err := target.Write([]byte("x"))
			return err
		}
		eventually(t, "the target is reset", func() bool {
			err := send()
			return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
		})
	})
}

// TestResetWhileSendsWait holds that bytes that nobody takes do not keep a connection whose peer is gone.
func TestResetWhileSendsWait(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "tcp")
		p := start(t, o, "tcp", s.at)
		client, target := p.pair(t, s)
		stuck := make(chan error, 1)
		go func() {
			for {
				if _, err := client.Write(make([]byte, 64<<10)); err != nil {
					stuck <- err
					return
				}
			}
		}()
		eventually(t, "bytes are passed on", func() bool { return p.stats.toTarget.Load() > 1<<20 })
		cut(t, target) // with much unread
		require.ErrorIs(t, <-stuck, unix.ECONNRESET)
		eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })
	})
}

// TestAnswerOfATargetThatReadsNoMore holds that what a target says before it hangs up arrives, though the proxy cannot
// get rid of the request any more.
func TestAnswerOfATargetThatReadsNoMore(t *testing.T) {
	onEngines(t, func(t *testing.T, o options) {
		s := serve(t, "unix")
		p := start(t, o, "unix", s.at)
		client, target := p.pair(t, s)
		require.NoError(t, target.(*net.UnixConn).CloseRead())
		eventually(t, "sends fail", func() bool {
			_, err := client.Write([]byte("more"))
			return errors.Is(err, unix.EPIPE)
		})
		send(t, target, "enough")
		expect(t, client, "enough")
		require.NoError(t, target.Close())
		expectReset(t, client)
		eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })
		require.EqualValues(t, 1, p.errorsOf("target Shutdown"))
	})
}
