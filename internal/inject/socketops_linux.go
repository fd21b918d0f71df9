package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// sizes of the flows of socketops: small buffers have sends wait.
const (
	opsFlow    = 12 << 10
	opsChunk   = 1500
	opsMessage = 512
	opsBuffer  = 4096
)

// mover transfers in one of the forms that a Socket has.
type mover struct {
	name string
	typ  socketops.Type
	send func(w *opsWork, ctx context.Context, s *socketops.Socket, f *flow) (int, error)
	recv func(w *opsWork, ctx context.Context, s *socketops.Socket, b []byte) (int, error)
}

// opsWork is the work of socketops.
type opsWork struct {
	*run
	engine *socketops.Engine
	file   *os.File // is what its flow is to send
	from   *flow    // the flow of the file
}

// driveSocketops drives all forms of socketops on a backend.
func driveSocketops(r *run, backend socketops.Backend) {
	w := &opsWork{run: r}
	r.engine = true
	for range 3 {
		var err error
		w.engine, err = socketops.New(socketops.WithBackend(backend))
		if !r.told("New", err) {
			break
		}
	}
	if w.engine == nil {
		r.report.Refuse = true
		r.report.Whole = false
		return
	}
	defer r.bounded("Engine.Close", func() { r.told("Engine.Close", w.engine.Close()) })

	w.from = r.newFlow("file", opsFlow)
	w.file = fixture.file(w.from)
	defer w.file.Close()
	var all group
	for _, m := range movers {
		all.Go(func() { w.move(m) })
	}
	all.Go(w.listen)
	all.Wait()
	w.together()
	w.quiet()
	if s := w.engine.Stats(); s.Received.Queued+s.Sent.Queued != 0 {
		r.broken("operations are queued at the end: %+v", s)
	}
}

// closeSocket closes a socket, in bounded time.
func (w *opsWork) closeSocket(s *socketops.Socket) {
	w.bounded("Socket.Close", func() { w.told("Socket.Close", s.Close()) })
}

// pair makes two sockets that are connected.
func (w *opsWork) pair(t socketops.Type) (a, b *socketops.Socket, ok bool) {
	ok = w.until("SocketPair", func(context.Context) (err error) {
		a, b, err = w.engine.SocketPair(t)
		return err
	})
	if ok {
		w.told("SetSendBuffer", a.SetSendBuffer(opsBuffer))
	}
	return a, b, ok
}

// move has a flow go through a pair of sockets.
func (w *opsWork) move(m mover) {
	a, b, ok := w.pair(m.typ)
	if !ok {
		return
	}
	w.transfer(m, a, b)
	w.closeSocket(a)
	w.closeSocket(b)
}

// transfer has a flow go from a to b, each side going on after errors from where it stands.
func (w *opsWork) transfer(m mover, a, b *socketops.Socket) {
	f := w.newFlow(m.name, opsFlow)
	if m.name == "SendFile" || m.name == "GoSendFile" || m.name == "SendPackets" || m.name == "TrySendFile" {
		f.key = w.from.key
	}
	var sides group
	sides.Go(func() {
		for f.sent < f.size {
			if !w.until(m.name, func(ctx context.Context) error {
				n, err := m.send(w, ctx, a, f)
				f.sent += n
				return err
			}) {
				return
			}
		}
	})
	sides.Go(func() {
		buf := make([]byte, 2*opsChunk)
		for f.got < f.size {
			if !w.until("receive for "+m.name, func(ctx context.Context) error {
				n, err := m.recv(w, ctx, b, buf)
				f.arrived(buf[:n])
				return err
			}) {
				return
			}
		}
	})
	sides.Wait()
	if fd, err := b.Fd(); err == nil {
		f.settle(fd)
	}
}

// wait runs a Go form, cancels it where it takes longer than ctx allows, and waits for its callback.
func (w *opsWork) wait(ctx context.Context, name string, begin func(o *once) *socketops.Op) bool {
	o := w.once(name)
	op := begin(o)
	select {
	case <-o.done:
		return true
	case <-ctx.Done():
	}
	op.Cancel()
	return o.came()
}

// quiet has a transfer of each kind wait, and nothing happen.
func (w *opsWork) quiet() {
	a, b, ok := w.pair(unix.SOCK_STREAM)
	if !ok {
		return
	}
	var plain, background [1]byte
	o := w.once("GoRecv of an idle socket")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var waiting group
	waiting.Go(func() {
		n, err := a.Recv(ctx, plain[:], 0)
		if n != 0 || err == nil {
			w.broken("Recv of an idle socket: %d bytes and %v", n, err)
		}
	})
	b.GoRecv(background[:], 0, func(n int, err error) {
		if n != 0 || err == nil {
			w.broken("GoRecv of an idle socket: %d bytes and %v", n, err)
		}
		o.call()
	})
	w.idle("sockets that wait", func() { time.Sleep(idleTime) })
	cancel()
	waiting.Wait()
	w.closeSocket(b)
	o.came()
	w.closeSocket(a)
}

// together has many sockets become ready at once, which the aio backend serves by one call: with one processor nobody
// looks for events while all are sent to.
func (w *opsWork) together() {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const sockets, rounds, bytes = 8, 6, 64
	var flows [sockets]*flow
	var from, to [sockets]*socketops.Socket
	for i := range flows {
		var ok bool
		if from[i], to[i], ok = w.pair(unix.SOCK_STREAM); !ok {
			return
		}
		defer w.closeSocket(from[i])
		defer w.closeSocket(to[i])
		flows[i] = w.newFlow("sockets together", rounds*bytes)
	}
	for range rounds {
		var all group
		for i, f := range flows {
			all.Go(func() {
				buf := make([]byte, bytes)
				w.until("GoRecv of sockets together", func(ctx context.Context) error {
					n, err := w.count(ctx, "GoRecv", func(done func(int, error)) *socketops.Op {
						return to[i].GoRecv(buf, 0, done)
					})
					f.arrived(buf[:n])
					return err
				})
			})
		}
		for end := time.Now().Add(waitMax / 2); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if w.engine.Stats().Received.Queued == sockets {
				break
			}
		}
		for i, f := range flows {
			w.until("TrySend to sockets together", func(context.Context) error {
				n, err := from[i].TrySend(f.next(bytes), 0)
				f.sent += n
				return err
			})
		}
		all.Wait()
	}
	for i, f := range flows {
		if fd, err := to[i].Fd(); err == nil {
			f.settle(fd)
		}
	}
}

// listen has connections made and accepted in each form.
func (w *opsWork) listen() {
	var l *socketops.Socket
	if !w.until("socket", func(context.Context) (err error) {
		l, err = w.engine.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		return err
	}) {
		return
	}
	defer w.closeSocket(l)
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	w.told("Bind", l.Bind(socketops.IPAddr(loopback)))
	w.told("Listen", l.Listen(8))
	at, err := l.LocalAddr()
	w.told("LocalAddr", err)

	for i, accept := range acceptors {
		client, ok := w.connect(at)
		if !ok {
			return
		}
		server, ok := w.acceptOf(client, func(ctx context.Context) (*socketops.Socket, error) { return accept(w, ctx, l) })
		if ok {
			w.transfer(movers[i], server, client)
			w.closeSocket(server)
		}
		w.closeSocket(client)
	}
}

// acceptOf accepts the connection of a client. One whose connect was given up may be in the queue before it.
func (w *opsWork) acceptOf(client *socketops.Socket, accept func(ctx context.Context) (*socketops.Socket, error)) (
	server *socketops.Socket, ok bool,
) {
	at, err := client.LocalAddr()
	w.told("LocalAddr", err)
	for {
		if !w.until("accept", func(ctx context.Context) (err error) {
			server, err = accept(ctx)
			return err
		}) {
			return nil, false
		}
		from, err := server.PeerAddr()
		w.told("PeerAddr", err)
		if err == nil && from == at {
			return server, true
		}
		w.closeSocket(server)
	}
}

// connect makes a connection. A socket whose connect has failed is not used for another.
func (w *opsWork) connect(at socketops.Addr) (c *socketops.Socket, ok bool) {
	ok = w.until("connect", func(ctx context.Context) error {
		s, err := w.engine.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		if err := s.Connect(ctx, at); err != nil {
			w.closeSocket(s)
			return err
		}
		c = s
		return nil
	})
	return c, ok
}

// acceptors are the forms of accept.
var acceptors = []func(w *opsWork, ctx context.Context, l *socketops.Socket) (*socketops.Socket, error){
	func(_ *opsWork, ctx context.Context, l *socketops.Socket) (*socketops.Socket, error) {
		s, _, err := l.Accept(ctx)
		return s, err
	},
	func(w *opsWork, ctx context.Context, l *socketops.Socket) (s *socketops.Socket, err error) {
		w.wait(ctx, "GoAccept", func(o *once) *socketops.Op {
			return l.GoAccept(func(c *socketops.Socket, _ socketops.Addr, failed error) {
				s, err = c, failed
				o.call()
			})
		})
		return s, err
	},
	func(_ *opsWork, ctx context.Context, l *socketops.Socket) (*socketops.Socket, error) {
		s, _, err := l.TryAccept()
		if err != nil {
			_, _ = l.Poll(ctx, socketops.PollRead, waitMax)
		}
		return s, err
	},
}

// conn makes the transfer of a net.Conn, with its deadline.
func conn(s *socketops.Socket, move func(c net.Conn) (int, error)) (int, error) {
	c := s.Conn()
	if err := c.SetDeadline(time.Now().Add(waitMax)); err != nil {
		return 0, err
	}
	defer c.SetDeadline(time.Time{})
	return move(c)
}
