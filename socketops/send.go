//go:build linux

package socketops

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"
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
	for {
		n = sysSend(l.handle.fd, b[sent:], int(f))
		if n == -int(unix.EINTR) {
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
// of a socket's sends come in the order of the calls, which is that of the bytes, on a goroutine of their own, perhaps
// before GoSend returns.
func (s *Socket) GoSend(b []byte, f MsgFlags, done func(n int, err error)) *Op {
	o, err := s.newSend(b, f)
	return s.goTransfer(o, err, s.WriteTimeout(), done)
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
	o, err := s.newSendMsg(slices.Clone(bufs), f, to)
	return s.goTransfer(o, err, s.WriteTimeout(), done)
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
func (s *Socket) goTransfer(o *op, err error, timeout time.Duration, done func(n int, err error)) *Op {
	if err != nil {
		go done(0, err)
		return &Op{&op{state: opOver}}
	}
	o.callback = func(o *op) { done(o.n, o.fault()) }
	return s.launch(o, timeout)
}
