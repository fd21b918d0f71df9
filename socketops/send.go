//go:build linux

package socketops

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// TrySend wraps send(2): it sends what the socket takes of b without waiting, and returns how much that is. An error
// behind a partial send shows at the next attempt (N10). An empty b is sent too: on a datagram socket that is an empty
// datagram.
func (s *Socket) TrySend(b []byte, f MsgFlags) (int, error) {
	if err := f.check(); err != nil {
		return 0, s.refuse("send", err)
	}
	l, err := s.try(sending)
	if err != nil {
		return 0, opError("send", err)
	}
	sent, n := 0, 0
	for tries := eintr.Tries(0); ; {
		n = sysSend(l.handle.fd, b[sent:], int(f))
		if n == -int(unix.EINTR) && tries.Again() {
			continue
		}
		if n <= 0 || !s.isStream() || sent+n == len(b) {
			break
		}
		sent += n
	}
	l.stats.tried(sent+max(n, 0), n, sent > 0)
	l.mu.Unlock()
	if n < 0 && sent > 0 {
		return sent, nil
	}
	n, err = l.handle.tried(opSend, n)
	return sent + n, err
}

// Send sends all of b, and waits for room until ctx ends, the deadline passes or the write time-out does. The error
// comes with how many bytes had left (N12). No other send of the socket comes in between.
func (s *Socket) Send(ctx context.Context, b []byte, f MsgFlags) (int, error) {
	o, err := s.newSend(b, f)
	if err != nil {
		return 0, err
	}
	defer o.recycle()
	s.perform(ctx, o, s.WriteTimeout())
	return o.n, o.fault()
}

// GoSend is Send in the background: b is the operation's until done is called, once, with what Send returns. Callbacks
// of a socket's sends come one after the other, in the order of the bytes, perhaps before GoSend returns: done must not
// wait for the callback of another send of the socket, which comes only when done has returned. Without a limit any
// number of bytes can wait: see SetSendLimit.
func (s *Socket) GoSend(b []byte, f MsgFlags, done func(n int, err error)) *Op {
	if done == nil {
		return s.refuseOp(sending, s.invalid("send", unix.EINVAL), nil)
	}
	o, err := s.newSend(b, f)
	return s.goTransfer(o, sending, err, s.WriteTimeout(), done)
}

// newSend prepares send(2).
func (s *Socket) newSend(b []byte, f MsgFlags) (*op, error) {
	if err := f.check(); err != nil {
		return nil, s.refuse("send", err)
	}
	o := newOp(opSend, int(f&^DontWait))
	o.once, o.whole = f&DontWait != 0, true
	o.msg.set(b)
	o.msg.stream = s.isStream()
	return o, nil
}

// TrySendv is TrySend of many buffers, one after the other. On a stream those beyond 1024 are sent by further calls; a
// datagram cannot have more: EMSGSIZE (N08).
func (s *Socket) TrySendv(bufs [][]byte, f MsgFlags) (int, error) {
	return s.sendMsg(context.Background(), bufs, f|DontWait, Addr{})
}

// Sendv is TrySendv that waits as Send does.
func (s *Socket) Sendv(ctx context.Context, bufs [][]byte, f MsgFlags) (int, error) {
	return s.sendMsg(ctx, bufs, f, Addr{})
}

// TrySendTo wraps sendto(2): TrySend to an address. The zero Addr is that of the peer.
func (s *Socket) TrySendTo(b []byte, f MsgFlags, to Addr) (int, error) {
	return s.sendTo(context.Background(), b, f|DontWait, to)
}

// SendTo is TrySendTo that waits as Send does.
func (s *Socket) SendTo(ctx context.Context, b []byte, f MsgFlags, to Addr) (int, error) {
	return s.sendTo(ctx, b, f, to)
}

// TrySendvTo is TrySendTo of many buffers.
func (s *Socket) TrySendvTo(bufs [][]byte, f MsgFlags, to Addr) (int, error) {
	return s.sendMsg(context.Background(), bufs, f|DontWait, to)
}

// SendvTo is TrySendvTo that waits as Send does.
func (s *Socket) SendvTo(ctx context.Context, bufs [][]byte, f MsgFlags, to Addr) (int, error) {
	return s.sendMsg(ctx, bufs, f, to)
}

// GoSendvTo is SendvTo in the background, as GoSend is Send. The list is copied, the buffers are not.
func (s *Socket) GoSendvTo(bufs [][]byte, f MsgFlags, to Addr, done func(n int, err error)) *Op {
	if done == nil {
		return s.refuseOp(sending, s.invalid("sendmsg", unix.EINVAL), nil)
	}
	o, err := s.newSendMsg(slices.Clone(bufs), f, to)
	return s.goTransfer(o, sending, err, s.WriteTimeout(), done)
}

func (s *Socket) sendTo(ctx context.Context, b []byte, f MsgFlags, to Addr) (int, error) {
	o, err := s.newSendMsg(nil, f, to)
	if err != nil {
		return 0, err
	}
	defer o.recycle()
	o.msg.set(b)
	s.perform(ctx, o, s.WriteTimeout())
	return o.n, o.fault()
}

func (s *Socket) sendMsg(ctx context.Context, bufs [][]byte, f MsgFlags, to Addr) (int, error) {
	o, err := s.newSendMsg(bufs, f, to)
	if err != nil {
		return 0, err
	}
	defer o.recycle()
	s.perform(ctx, o, s.WriteTimeout())
	return o.n, o.fault()
}

// newSendMsg prepares sendmsg(2).
func (s *Socket) newSendMsg(bufs [][]byte, f MsgFlags, to Addr) (*op, error) {
	if err := f.check(); err != nil {
		return nil, s.refuse("sendmsg", err)
	}
	o := newOp(opSendMsg, int(f&^DontWait))
	o.once, o.whole = f&DontWait != 0, true
	o.msg.bufs, o.msg.stream = bufs, s.isStream()
	if to.IsZero() {
		return o, nil
	}
	if err := o.msg.to(s.reachable(to)); err != nil {
		o.recycle()
		return nil, s.invalid("sendmsg", err)
	}
	return o, nil
}

// reachable is the address by which the socket reaches another: sockets of IPv6 reach those of IPv4 by mapped
// addresses (N57).
func (s *Socket) reachable(a Addr) Addr {
	if s.family == unix.AF_INET6 && a.family == unix.AF_INET {
		return mapped(a)
	}
	return a
}

// goTransfer begins a transfer that has been prepared, or was refused.
func (s *Socket) goTransfer(
	o *op, d direction, err error, timeout time.Duration, done func(n int, err error),
) *Op {
	if err != nil {
		return s.refuseOp(d, err, func() { done(0, err) })
	}
	o.callback = func(o *op) { done(o.n, o.fault()) }
	return s.launch(o, timeout)
}

// SetSendLimit bounds the bytes that sends in the background (GoSend, GoSendvTo) may have waiting on the socket: one
// that would go beyond it sends nothing, and its callback and Op.Err say ErrWouldBlock. 0, as at first, is no limit:
// then who sends faster than the peer reads holds as much memory as that takes. A single send that is longer than the
// limit is taken where nothing waits. What waits already stays; plain forms wait for their turn as they always do, and
// Try forms never queue. A negative limit is EINVAL.
//
// AwaitSendRoom waits until there is room again. The limit is each socket's own: one whose peer does not read keeps
// nobody else's sends from leaving.
func (s *Socket) SetSendLimit(bytes int) error {
	if bytes < 0 {
		return s.invalid("set send limit", unix.EINVAL)
	}
	if s.isClosed() {
		return opError("set send limit", ErrClosed)
	}
	s.sendLimit.Store(int64(bytes))
	l := &s.handle().lanes[sending]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellRoom()
	return nil
}

// SendLimit returns what SetSendLimit has set, at first 0.
func (s *Socket) SendLimit() int { return int(s.sendLimit.Load()) }

// QueuedBytes returns how many bytes of sends wait on the socket, of every form but SendFile and SendPackets: what was
// asked for, and the kernel has not taken.
func (s *Socket) QueuedBytes() int {
	l := &s.handle().lanes[sending]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// AwaitSendRoom waits until a send of so many bytes in the background would not be refused for the limit, until ctx
// ends, or until the socket is closed. It reserves nothing: another goroutine can be faster.
func (s *Socket) AwaitSendRoom(ctx context.Context, bytes int) error {
	if ctx == nil || bytes < 0 {
		return s.invalid("await send room", unix.EINVAL)
	}
	done := ctx.Done() // before any lock: the context can be of a foreign type
	for {
		l := &s.handle().lanes[sending]
		l.mu.Lock()
		room, stopped := l.room, l.stopped
		has := l.hasRoom(s.SendLimit(), bytes)
		if !has && stopped == nil && room == nil {
			room = make(chan struct{})
			l.room = room
		}
		l.mu.Unlock()
		switch err := ended(ctx); {
		case stopped == errReplaced:
			continue
		case stopped != nil:
			return opError("await send room", stopped)
		case err != nil:
			return opError("await send room", err)
		case has:
			return nil
		}
		select {
		case <-room:
		case <-done:
		}
	}
}

// hasRoom reports whether so many bytes more may wait. mu is held, here and below.
func (l *lane) hasRoom(limit, bytes int) bool {
	return limit == 0 || l.held == 0 || bytes <= limit-l.held
}

// holds reports whether an operation has bytes in memory waiting.
func (o *op) holds() bool { return o.kind == opSend || o.kind == opSendMsg }

// hold counts what an operation is going to have waiting.
func (l *lane) hold(o *op) {
	if o.holds() {
		o.held = o.msg.left()
		l.held += o.held
	}
}

// unhold counts what does not wait any more.
func (l *lane) unhold(o *op, bytes int) {
	if bytes = min(bytes, o.held); bytes > 0 {
		o.held -= bytes
		l.held -= bytes
		l.tellRoom()
	}
}

// tellRoom has those look again who wait for room.
func (l *lane) tellRoom() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}
