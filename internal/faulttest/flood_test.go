//go:build linux

package faulttest

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// TestFloodsStarveNobody has peers send without end, byte by byte and in bursts, to sockets that receive all of it.
// What others want of the engine meanwhile is done: bytes are answered and connections accepted. The floods end after
// that, and not before: whoever had to wait for their end would wait for ever.
func TestFloodsStarveNobody(t *testing.T) { // fault 54
	rounds := testutil.Fewer(20, 5)
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		var floods []*flood
		for i := range 8 {
			floods = append(floods, newFlood(t, e, []int{1, 64 << 10}[i%2]))
		}
		near, far := tcpPair(t, e)
		l, at := listening(t, e, 1)
		for i := range rounds {
			answered := make(chan byte, 1)
			question, answer := []byte{byte(i)}, make([]byte, 1)
			received := make([]byte, 1)
			far.GoRecv(received, 0, func(int, error) { far.GoSend(received, 0, func(int, error) {}) })
			near.GoRecv(answer, 0, func(int, error) { answered <- answer[0] })
			near.GoSend(question, 0, func(int, error) {})
			require.Equal(t, byte(i), within(t, answered))

			accepted := make(chan error, 1)
			l.GoAccept(func(s *socketops.Socket, _ socketops.Addr, err error) {
				if err == nil {
					err = s.Close()
				}
				accepted <- err
			})
			client := tcp(t, e)
			require.NoError(t, client.Connect(lateContext(t), at))
			require.NoError(t, within(t, accepted))
			require.NoError(t, client.Close())
		}
		for _, f := range floods {
			for before := f.received.Load(); f.received.Load() == before; time.Sleep(time.Millisecond) {
			} // nor was any of them starved
		}
		for _, f := range floods {
			f.end(t)
		}
	})
}

// flood is a peer that sends without end to a socket that receives all of it.
type flood struct {
	from, to *socketops.Socket
	received atomic.Int64
	stop     atomic.Bool
	sent     chan error
	over     chan error // the receiving end has seen the end
}

// newFlood begins a flood of so many bytes at a time.
func newFlood(t *testing.T, e *socketops.Engine, size int) *flood {
	f := &flood{sent: make(chan error, 1), over: make(chan error, 1)}
	f.from, f.to = tcpPair(t, e)
	require.NoError(t, f.from.SetNoDelay(true))
	go func() {
		var err error
		for p := make([]byte, size); err == nil && !f.stop.Load(); {
			_, err = f.from.Send(context.Background(), p, 0)
			runtime.Gosched() // or others would wait for the end of a time slice, which is not what this is about
		}
		if err == nil {
			err = f.from.Shutdown(socketops.ShutWrite)
		}
		f.sent <- err
	}()
	p := make([]byte, size)
	var more func(n int, err error)
	more = func(n int, err error) {
		if n == 0 || err != nil {
			f.over <- err
			return
		}
		f.received.Add(int64(n))
		runtime.Gosched()
		f.to.GoRecv(p, 0, more)
	}
	f.to.GoRecv(p, 0, more)
	return f
}

// end ends the flood.
func (f *flood) end(t *testing.T) {
	f.stop.Store(true)
	require.NoError(t, <-f.sent)
	require.NoError(t, <-f.over)
}
