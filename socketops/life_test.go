//go:build linux

package socketops

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// lifeState is where an operation is when something happens to it: start brings one there, on a socket whose sending
// direction is full and that has nothing to receive, and returns what cancels it.
type lifeState struct {
	name  string
	d     direction
	bytes int // of the operation
	start func(t *testing.T, s *Socket, told func(n int, err error)) (cancel func())
}

const lifeBytes = 1 << 20 // of a send: more than a socket has room for

var lifeStates = []lifeState{
	{"receive in flight", receiving, 4, func(_ *testing.T, s *Socket, told func(int, error)) func() {
		return s.GoRecv(make([]byte, 4), 0, told).Cancel
	}},
	{"receive behind another", receiving, 4, func(_ *testing.T, s *Socket, told func(int, error)) func() {
		front := s.GoRecv(make([]byte, 1), 0, func(int, error) {})
		behind := s.GoRecv(make([]byte, 4), 0, told)
		return func() { behind.Cancel(); front.Cancel() }
	}},
	{"receive parked", receiving, 4, func(t *testing.T, s *Socket, told func(int, error)) func() {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { told(s.Recv(ctx, make([]byte, 4), 0)) }()
		queued(t, s, 1)
		return cancel
	}},
	{"send in flight", sending, lifeBytes, func(_ *testing.T, s *Socket, told func(int, error)) func() {
		return s.GoSend(make([]byte, lifeBytes), 0, told).Cancel
	}},
	{"send behind others", sending, lifeBytes, func(_ *testing.T, s *Socket, told func(int, error)) func() {
		var ops []*Op
		for range 3 {
			ops = append(ops, s.GoSend(make([]byte, 1000), 0, func(int, error) {}))
		}
		ops = append(ops, s.GoSend(make([]byte, lifeBytes), 0, told))
		return func() {
			for i := len(ops) - 1; i >= 0; i-- {
				ops[i].Cancel()
			}
		}
	}},
	{"send parked", sending, lifeBytes, func(t *testing.T, s *Socket, told func(int, error)) func() {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { told(s.Send(ctx, make([]byte, lifeBytes), 0)) }()
		require.Eventually(t, func() bool { return s.Stats().Sent.Queued == 1 }, late, time.Millisecond)
		return cancel
	}},
	{"file at work", sending, lifeBytes, func(t *testing.T, s *Socket, told func(int, error)) func() {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, make([]byte, lifeBytes), 0o600))
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		return s.GoSendFile(f, 0, -1, func(n int64, err error) { told(int(n), err) }).Cancel
	}},
}

// lifeEvents are what can happen, and the errors that follow, one of them.
var lifeEvents = []struct {
	name   string
	do     func(t *testing.T, st lifeState, s, peer *Socket, filled int, cancel func())
	reason []error // nil is success
}{
	{"completion", func(t *testing.T, st lifeState, s, peer *Socket, filled int, _ func()) {
		if st.d == receiving {
			_, err := peer.Send(t.Context(), make([]byte, 5), 0)
			require.NoError(t, err)
			return
		}
		n := filled + s.QueuedBytes()
		if st.name == "file at work" {
			n = filled + lifeBytes
		}
		_, err := peer.Recv(t.Context(), make([]byte, n), WaitAll)
		require.NoError(t, err)
	}, []error{nil}},
	{"cancellation", func(_ *testing.T, _ lifeState, _, _ *Socket, _ int, cancel func()) {
		cancel()
	}, []error{ErrCanceled}},
	{"cancellation twice", func(_ *testing.T, _ lifeState, _, _ *Socket, _ int, cancel func()) {
		cancel()
		cancel()
	}, []error{ErrCanceled}},
	{"deadline", func(t *testing.T, _ lifeState, s, _ *Socket, _ int, _ func()) {
		require.NoError(t, s.SetDeadline(time.Now().Add(-time.Second)))
	}, []error{ErrTimeout}},
	{"Close", func(t *testing.T, _ lifeState, s, _ *Socket, _ int, _ func()) {
		require.NoError(t, s.Close())
	}, []error{ErrClosed}},
	{"end of the peer", func(t *testing.T, _ lifeState, _, peer *Socket, _ int, _ func()) {
		require.NoError(t, peer.Close())
	}, []error{nil, unix.EPIPE, unix.ECONNRESET}},
	{"end of the engine", func(t *testing.T, _ lifeState, s, _ *Socket, _ int, _ func()) {
		require.NoError(t, s.Engine().Close()) // which closes the sockets one after the other
	}, []error{ErrClosed, nil, unix.EPIPE, unix.ECONNRESET}},
}

// TestLifeOfAnOperation goes through every state that an operation waits in, and everything that can happen there; each
// again when the operation is over already. It is told once, and nothing of it is left.
func TestLifeOfAnOperation(t *testing.T) { // found 1, 2 and 3
	for _, b := range tested(t) {
		for _, st := range lifeStates {
			for _, ev := range lifeEvents {
				t.Run(string(b.name)+"/"+st.name+"/"+ev.name, func(t *testing.T) {
					testutil.Timeout(t, hangLimit)
					e, err := New(WithBackend(b.name))
					testutil.SkipIfUnsupported(t, err)
					require.NoError(t, err)
					defer e.Close()
					s, peer := unixPair(t, e, unix.SOCK_STREAM)
					filled := fill(t, s)
					told, results := outcomes(2)
					cancel := st.start(t, s, told)
					ev.do(t, st, s, peer, filled, cancel)
					r := <-results
					matched := false
					for _, reason := range ev.reason {
						matched = matched || errors.Is(r.err, reason)
					}
					require.True(t, matched, "%v", r)
					if r.err == nil && ev.name == "completion" {
						require.Equal(t, st.bytes, r.n)
					}
					if r.err != nil {
						require.Less(t, r.n, st.bytes)
					}
					cancel() // It is over: nothing follows.
					require.NoError(t, s.Close())
					require.NoError(t, s.Close())
					stats := s.Stats()
					require.Zero(t, stats.Received.Queued+stats.Sent.Queued)
					require.Zero(t, s.QueuedBytes())
					require.NoError(t, e.Close())
					require.Empty(t, results)
				})
			}
		}
	}
}

// requireSound has a connected pair transfer in both directions, tell its figures and close.
func requireSound(t *testing.T, a, b *Socket) {
	t.Helper()
	for range 2 {
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told)
		_, err := b.Send(t.Context(), []byte{1}, 0)
		require.NoError(t, err)
		require.Equal(t, outcome{1, nil}, <-results)
		_, err = b.Send(t.Context(), []byte{1}, 0)
		require.NoError(t, err)
		n, err := a.Recv(t.Context(), make([]byte, 1), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		a, b = b, a
	}
	require.Zero(t, a.Stats().Received.Queued+a.Stats().Sent.Queued)
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

// TestNilContextIsRefused gives every plain form a nil context, which is EINVAL before any lock is taken.
func TestNilContextIsRefused(t *testing.T) { // found 26
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte("text"), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	nowhere := UnixAddr(filepath.Join(t.TempDir(), "nobody"))
	var none context.Context
	b, bufs := []byte{1}, [][]byte{{1}}
	forms := map[string]func(s *Socket) error{
		"Accept":      func(s *Socket) error { _, _, err := s.Accept(none); return err },
		"Connect":     func(s *Socket) error { return s.Connect(none, nowhere) },
		"ConnectData": func(s *Socket) error { _, err := s.ConnectData(none, nowhere, b); return err },
		"ConnectAny": func(s *Socket) error {
			return s.ConnectAny(none, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")})
		},
		"Poll":        func(s *Socket) error { _, err := s.Poll(none, PollRead, -1); return err },
		"Recv":        func(s *Socket) error { _, err := s.Recv(none, b, 0); return err },
		"RecvFrom":    func(s *Socket) error { _, _, _, err := s.RecvFrom(none, b, 0); return err },
		"RecvMsg":     func(s *Socket) error { _, err := s.RecvMsg(none, bufs, 0); return err },
		"RecvReady":   func(s *Socket) error { return s.RecvReady(none) },
		"Recvv":       func(s *Socket) error { _, _, err := s.Recvv(none, bufs, 0); return err },
		"Select":      func(s *Socket) error { _, err := s.Engine().Select(none, []*Socket{s}, nil, nil, -1); return err },
		"Send":        func(s *Socket) error { _, err := s.Send(none, b, 0); return err },
		"SendFile":    func(s *Socket) error { _, err := s.SendFile(none, file, 0, 4); return err },
		"SendPackets": func(s *Socket) error { _, err := s.SendPackets(none, []Packet{{Data: b}}, 0); return err },
		"SendTo":      func(s *Socket) error { _, err := s.SendTo(none, b, 0, Addr{}); return err },
		"Sendv":       func(s *Socket) error { _, err := s.Sendv(none, bufs, 0); return err },
		"SendvTo":     func(s *Socket) error { _, err := s.SendvTo(none, bufs, 0, Addr{}); return err },
	}
	unconnected := map[string]Family{"Connect": unix.AF_UNIX, "ConnectData": unix.AF_UNIX, "ConnectAny": unix.AF_INET}
	onEngines(t, func(t *testing.T, e *Engine) {
		for name, form := range forms {
			t.Run(name, func(t *testing.T) {
				a, b := unixPair(t, e, unix.SOCK_STREAM)
				asked := b
				if family, ok := unconnected[name]; ok {
					var err error
					asked, err = e.Socket(family, unix.SOCK_STREAM, 0)
					require.NoError(t, err)
					defer asked.Close()
				}
				require.ErrorIs(t, form(asked), unix.EINVAL)
				require.True(t, b.Connected())
				requireSound(t, a, b)
				require.ErrorIs(t, form(b), ErrClosed) // which comes before arguments (N55)
			})
		}
	})
}

// TestNilCallbackIsRefused gives every Go form no callback. The call refuses it, and nothing is begun.
func TestNilCallbackIsRefused(t *testing.T) { // found 26
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer file.Close()
	forms := map[string]func(s *Socket) *Op{
		"GoAccept":   func(s *Socket) *Op { return s.GoAccept(nil) },
		"GoRecv":     func(s *Socket) *Op { return s.GoRecv(make([]byte, 1), 0, nil) },
		"GoRecvMsg":  func(s *Socket) *Op { return s.GoRecvMsg([][]byte{make([]byte, 1)}, 0, nil) },
		"GoSend":     func(s *Socket) *Op { return s.GoSend([]byte{1}, 0, nil) },
		"GoSendFile": func(s *Socket) *Op { return s.GoSendFile(file, 0, 0, nil) },
		"GoSendvTo":  func(s *Socket) *Op { return s.GoSendvTo([][]byte{{1}}, 0, Addr{}, nil) },
	}
	onEngines(t, func(t *testing.T, e *Engine) {
		for name, form := range forms {
			t.Run(name, func(t *testing.T) {
				a, b := unixPair(t, e, unix.SOCK_STREAM)
				op := form(b)
				require.ErrorIs(t, op.Err(), unix.EINVAL)
				op.Cancel()
				requireSound(t, a, b)
				require.ErrorIs(t, form(b).Err(), ErrClosed)
			})
		}
	})
	new(Op).Cancel() // The zero Op is one that was over before.
}

// TestRefusedGoFormsCallBackInOrder has arguments that are refused told behind what was begun before them.
func TestRefusedGoFormsCallBackInOrder(t *testing.T) { // found 3 and 26
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		order := make(chan int, 2)
		first := make(chan struct{})
		b.GoRecv(make([]byte, 1), 0, func(int, error) { <-first; order <- 1 })
		_, err := a.TrySend([]byte{1}, 0)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return b.Stats().Received.Operations == 1 }, late, time.Millisecond)
		op := b.GoRecv(make([]byte, 1), MsgFlags(1<<30), func(_ int, err error) { order <- 2 })
		require.Error(t, op.Err())
		close(first)
		require.Equal(t, 1, <-order)
		require.Equal(t, 2, <-order)
	})
}

// hostile is a context one of whose methods panics, or ends its goroutine, when it is called for the n-th time.
type hostile struct {
	context.Context
	method string
	calls  *atomic.Int32
	n      int32
	do     func()
}

func (h hostile) strike(method string) {
	if method == h.method && h.calls.Add(1) == h.n {
		h.do()
	}
}

func (h hostile) Done() <-chan struct{} { h.strike("Done"); return h.Context.Done() }
func (h hostile) Err() error            { h.strike("Err"); return h.Context.Err() }
func (h hostile) Value(key any) any     { h.strike("Value"); return h.Context.Value(key) }
func (h hostile) Deadline() (time.Time, bool) {
	h.strike("Deadline")
	return h.Context.Deadline()
}

// TestContextsMayPanic has a receive wait with contexts whose methods panic or call runtime.Goexit on its goroutine,
// at every point where one is called. The socket is as it was before.
func TestContextsMayPanic(t *testing.T) { // found 3 and 26
	strikes := map[string]func(){"panics": func() { panic("heron") }, "exits": runtime.Goexit}
	points := []struct {
		method string
		n      int32
	}{{"Err", 1}, {"Done", 1}, {"Done", 2}, {"Value", 1}}
	onEngines(t, func(t *testing.T, e *Engine) {
		for how, do := range strikes {
			for _, p := range points {
				t.Run(p.method+strconv.Itoa(int(p.n))+" "+how, func(t *testing.T) {
					a, b := unixPair(t, e, unix.SOCK_STREAM)
					for _, before := range []bool{false, true} { // the first waits outside of the runtime's poller at first
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						returned := make(chan bool, 1)
						go func() {
							ok := false
							defer func() {
								_ = recover()
								returned <- ok
							}()
							h := hostile{ctx, p.method, new(atomic.Int32), p.n, do}
							_, _ = b.Recv(h, make([]byte, 1), 0)
							ok = true
						}()
						require.False(t, <-returned, before)
						require.Zero(t, b.Stats().Received.Queued)
					}
					requireSound(t, a, b)
				})
			}
		}
	})
}

// TestCallbacksMayExit has callbacks call runtime.Goexit: those behind them come all the same.
func TestCallbacksMayExit(t *testing.T) { // found 3
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		const receives = 20
		told := make(chan int, 2*receives)
		for i := range receives {
			b.GoRecv(make([]byte, 1), 0, func(int, error) {
				told <- i
				runtime.Goexit()
			})
		}
		for i := range receives {
			_, err := a.TrySend([]byte{1}, 0)
			require.NoError(t, err)
			require.Equal(t, i, <-told)
		}
		for i := range receives {
			a.GoSend([]byte{1}, 0, func(int, error) {
				told <- i
				runtime.Goexit()
			})
			require.Equal(t, i, <-told)
		}
		_, err := b.Recv(t.Context(), make([]byte, receives), WaitAll)
		require.NoError(t, err)
		requireSound(t, a, b)
	})
}

// TestCallbackThatPanicsEndsTheProgram shows that it does so as a goroutine of package net would, with its text.
func TestCallbackThatPanicsEndsTheProgram(t *testing.T) { // found 3
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Equal(t, 2, child.ExitCode, child.Output)
		require.Contains(t, child.Output, "panic: heron")
		return
	}
	e := engine(t)
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	b.GoRecv(make([]byte, 1), 0, func(int, error) { panic("heron") })
	_, err := a.TrySend([]byte{1}, 0)
	require.NoError(t, err)
	select {}
}

func TestForgottenStepsAreErrors(t *testing.T) { // found 31
	onEngines(t, func(t *testing.T, e *Engine) {
		t.Run("no connection", func(t *testing.T) {
			f := fileOf(t, []byte("text"))
			for name, s := range map[string]*Socket{"new": freshTCP(t, e), "refused": refusedTCP(t, e)} {
				t.Run(name, func(t *testing.T) {
					_, err := s.SendFile(lateContext(t), f, 0, -1)
					require.ErrorIs(t, err, unix.ENOTCONN)
					_, err = s.TrySendFile(f, 0, -1)
					require.ErrorIs(t, err, unix.ENOTCONN)
					errs := make(chan error, 1)
					s.GoSendFile(f, 0, -1, func(_ int64, err error) { errs <- err })
					require.ErrorIs(t, <-errs, unix.ENOTCONN)
					for _, list := range [][]Packet{nil, {{}}, {{Data: []byte("x")}}, {{File: f}}} {
						_, err = s.SendPackets(lateContext(t), list, 0)
						require.ErrorIs(t, err, unix.ENOTCONN)
					}
				})
			}
			s, _ := udp(t, e)
			_, err := s.SendPackets(lateContext(t), nil, 0)
			require.ErrorIs(t, err, unix.ENOTCONN)
			require.NoError(t, s.Close())
			_, err = s.SendPackets(lateContext(t), nil, 0)
			require.ErrorIs(t, err, ErrClosed)
		})
		t.Run("a broken connection is another thing", func(t *testing.T) {
			a, b := unixPair(t, e, unix.SOCK_STREAM)
			require.NoError(t, b.Close())
			_, err := a.SendFile(lateContext(t), fileOf(t, []byte("text")), 0, -1)
			require.ErrorIs(t, err, unix.EPIPE)
			_, err = a.SendPackets(lateContext(t), nil, 0)
			require.NoError(t, err)
		})
		t.Run("nothing to wait for", func(t *testing.T) {
			for _, d := range []int64{-1, -1 << 63} {
				_, err := e.Select(context.Background(), nil, nil, []*Socket{}, time.Duration(d))
				require.ErrorIs(t, err, unix.EINVAL)
			}
			got, err := e.Select(context.Background(), nil, nil, nil, 0)
			require.NoError(t, err)
			require.Zero(t, got)
		})
		t.Run("no port yet", func(t *testing.T) {
			s, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
			require.NoError(t, err)
			keep(t, s)
			got := make(chan outcome, 1)
			go func() {
				n, _, _, err := s.RecvFrom(context.Background(), make([]byte, 9), 0)
				got <- outcome{n, err}
			}()
			peer, at := udp(t, e)
			_, err = s.SendTo(lateContext(t), []byte("gives it one"), 0, at)
			require.NoError(t, err)
			_, from, _, err := peer.RecvFrom(lateContext(t), make([]byte, 9), 0)
			require.NoError(t, err)
			_, err = peer.SendTo(lateContext(t), []byte("back"), 0, from)
			require.NoError(t, err)
			require.Equal(t, outcome{4, nil}, <-got)
		})
	})
}

// refusedTCP makes a socket whose connection was refused.
func refusedTCP(t *testing.T, e *Engine) *Socket {
	t.Helper()
	_, at := boundTCP(t, e)
	s := freshTCP(t, e)
	require.ErrorIs(t, s.Connect(lateContext(t), at), unix.ECONNREFUSED)
	return s
}

func TestRawAddressesAreWhole(t *testing.T) { // found 30
	for family, room := range map[uint16]int{unix.AF_INET: 14, unix.AF_INET6: 26} {
		for n := range room {
			_, err := RawAddr(family, make([]byte, n))
			require.ErrorIs(t, err, unix.EINVAL)
		}
		a, err := RawAddr(family, make([]byte, room))
		require.NoError(t, err)
		require.Len(t, a.Raw(), room)
		raw, err := parseAddr([]byte{byte(family), byte(family >> 8), 1, 2, 3}).sockaddr(nil)
		require.ErrorIs(t, err, unix.EINVAL, "%v", raw)
	}
	_, err := RawAddr(unix.AF_UNSPEC, []byte{1})
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = RawAddr(unix.AF_UNIX, make([]byte, MaxAddrLen-1))
	require.ErrorIs(t, err, unix.EINVAL)
	require.NotPanics(t, func() { // of an address that the kernel has cut off
		e := engine(t)
		s, _ := udp(t, e)
		require.ErrorIs(t, s.Bind(parseAddr([]byte{unix.AF_INET, 0, 1})), unix.EINVAL)
		require.ErrorIs(t, s.Bind(Addr{}), unix.EDESTADDRREQ)
	})
}

func TestZeroValues(t *testing.T) { // found 30
	testutil.ZeroValues(
		t, map[string]string{"EngineOption": "a function"},
		new(Addr), new(Backend), new(DirectionStats), new(Engine), new(EngineStats), new(EngineStatus), new(ErrorClass),
		new(Family), new(IOControlCode), new(Level), new(Linger), new(Msg), new(MsgFlags), new(MulticastGroup4),
		new(MulticastGroup6), new(Op), new(OpError), new(Option), new(Packet), new(PacketInfo), new(PollMode), new(Protocol),
		new(Refusal), new(SelectResult), new(SendPacketsOptions), new(ShutdownHow), new(Socket), new(SocketStats), new(Type),
		new(UnsupportedError),
	)
}

func TestZeroSocketIsAClosedOne(t *testing.T) { // found 30
	var s Socket
	b := make([]byte, 1)
	for name, call := range map[string]func() error{
		"Close":       s.Close,
		"Bind":        func() error { return s.Bind(loopback) },
		"Connect":     func() error { return s.Connect(t.Context(), loopback) },
		"SetDeadline": func() error { return s.SetDeadline(time.Time{}) },
		"SetNoDelay":  func() error { return s.SetNoDelay(true) },
		"TryRecv":     func() error { _, err := s.TryRecv(b, 0); return err },
		"Recv":        func() error { _, err := s.Recv(t.Context(), b, 0); return err },
		"Send":        func() error { _, err := s.Send(t.Context(), b, 0); return err },
		"TrySend":     func() error { _, err := s.TrySend(b, 0); return err },
		"Poll":        func() error { _, err := s.Poll(t.Context(), PollRead, -1); return err },
		"Read":        func() error { _, err := s.Conn().Read(b); return err },
		"Accept":      func() error { _, err := s.Listener().Accept(); return err },
		"Conn.Close":  func() error { return s.Conn().Close() },
	} {
		require.ErrorIs(t, call(), net.ErrClosed, name)
	}
	errs := make(chan error, 1)
	s.GoRecv(b, 0, func(_ int, err error) { errs <- err }).Cancel()
	require.ErrorIs(t, <-errs, ErrClosed)
	var e Engine
	_, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.ErrorIs(t, err, ErrClosed)
	_, _, err = e.SocketPair(unix.SOCK_STREAM)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, e.Close())
}
