//go:build linux

package socketops

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// MsgFlags say how to transfer, and what was special about what was received. Their values are the kernel's MSG_ flags.
type MsgFlags int

// The flags of recv(2) and send(2).
const (
	OOB       MsgFlags = unix.MSG_OOB       // urgent data
	Peek      MsgFlags = unix.MSG_PEEK      // leave what is received where it is
	DontRoute MsgFlags = unix.MSG_DONTROUTE // send to neighbours only
	Truncated MsgFlags = unix.MSG_TRUNC     // the datagram was longer; asked for, its whole length is returned
	CtrlTrunc MsgFlags = unix.MSG_CTRUNC    // control data was lost
	ErrQueue  MsgFlags = unix.MSG_ERRQUEUE  // receive from the queue of errors
	DontWait  MsgFlags = unix.MSG_DONTWAIT  // as the Try form
	EOR       MsgFlags = unix.MSG_EOR       // the end of a record

	// WaitAll, More and FastOpen are what the platform layers do not have: receive until the buffers are full, send
	// together with what follows, and send with the connection request.
	WaitAll  MsgFlags = unix.MSG_WAITALL
	More     MsgFlags = unix.MSG_MORE
	FastOpen MsgFlags = unix.MSG_FASTOPEN
)

const flagsKnown = OOB | Peek | DontRoute | Truncated | CtrlTrunc | ErrQueue | DontWait | EOR |
	WaitAll | More | FastOpen

// check refuses flags that the package does not know, with EOPNOTSUPP, before the kernel sees them (N06).
func (f MsgFlags) check() error {
	if f&^flagsKnown != 0 {
		return unix.EOPNOTSUPP
	}
	return nil
}

// flagsReported are those that a receive returns (N07).
const flagsReported = OOB | DontRoute | Truncated | CtrlTrunc | EOR | ErrQueue

// Msg is a message that was received.
type Msg struct {
	N          int      // bytes
	From       Addr     // where from; the zero Addr on connected streams
	Flags      MsgFlags // OOB, Truncated, CtrlTrunc, EOR, ErrQueue
	PacketInfo PacketInfo
}

// TryRecv wraps recv(2): it receives what is there, up to len(b) bytes, without waiting. 0 bytes are the end of the
// stream, or an empty datagram. With an empty b nothing is taken: the error is ErrWouldBlock until there is something
// to receive, or the end (N15).
func (s *Socket) TryRecv(b []byte, f MsgFlags) (int, error) {
	if err := f.check(); err != nil {
		return 0, s.refuse("recv", err)
	}
	if len(b) > 0 && s.refusesTruncated(f) {
		m, err := s.recvMsg(context.Background(), [][]byte{b}, f|DontWait, wantNothing)
		return m.N, err
	}
	l, err := s.try(receiving)
	if err != nil {
		return 0, opError("recv", err)
	}
	var n int
	for tries := eintr.Tries(0); ; {
		if len(b) == 0 {
			n = min(sysPeek(l.handle.fd, int(f)), 0)
		} else {
			n = sysRecv(l.handle.fd, b, int(f))
		}
		if n != -int(unix.EINTR) || !tries.Again() {
			break
		}
	}
	bytes := max(n, 0)
	if int(f)&flagsNotTaken != 0 {
		bytes = 0
	}
	l.stats.tried(bytes, n, false)
	l.mu.Unlock()
	return l.handle.tried(opRecv, n)
}

// Recv is TryRecv that waits until there is something, ctx ends, the deadline passes or the read time-out does. What
// has arrived is returned even where ctx ends meanwhile, so that no cancellation loses data (B07). With WaitAll it
// waits until b is full, and returns fewer bytes at the end of the stream or together with an error.
func (s *Socket) Recv(ctx context.Context, b []byte, f MsgFlags) (int, error) {
	o, err := s.newRecv(b, f)
	if err != nil {
		return 0, err
	}
	defer o.recycle()
	s.perform(ctx, o, s.ReadTimeout())
	return o.n, o.fault()
}

// RecvReady is Recv of nothing: it waits until there is something to receive, or the end, and takes nothing (N15). What
// is wrong with the connection it says.
func (s *Socket) RecvReady(ctx context.Context) error {
	_, err := s.Recv(ctx, nil, 0)
	return err
}

// GoRecv is Recv in the background: b is the operation's until done is called, once, with what Recv returns. Callbacks
// of a socket's receives come one after the other, perhaps before GoRecv returns: done must not wait for the callback
// of another receive of the socket, which comes only when done has returned.
func (s *Socket) GoRecv(b []byte, f MsgFlags, done func(n int, err error)) *Op {
	if done == nil {
		return s.refuseOp(receiving, s.invalid("recv", unix.EINVAL), nil)
	}
	o, err := s.newRecv(b, f)
	return s.goTransfer(o, receiving, err, s.ReadTimeout(), done)
}

// newRecv prepares recv(2).
func (s *Socket) newRecv(b []byte, f MsgFlags) (*op, error) {
	if err := f.check(); err != nil {
		return nil, s.refuse("recv", err)
	}
	o := newOp(opRecv, int(f&^DontWait))
	o.once = f&DontWait != 0
	o.msg.set(b)
	o.msg.stream = s.isStream()
	o.peek, o.whole = len(b) == 0, f&(WaitAll|Peek) == WaitAll
	if !o.peek && s.refusesTruncated(f) {
		o.kind, o.complete = opRecvMsg, true // recv(2) does not say
	}
	return o, nil
}

// refusesTruncated reports whether a receive fails where what it takes is longer than its buffers, see WithTruncError.
func (s *Socket) refusesTruncated(f MsgFlags) bool {
	return s.engine != nil && s.engine.truncError && f&Truncated == 0 && !s.isStream()
}

// TryRecvv is TryRecv into many buffers, one after the other. At most 1024 are filled. It returns the flags of what was
// received. Empty buffers alone make a receive of nothing, which takes a datagram (A30). More than eight buffers on a
// listening socket are EINVAL, with fewer it is for the kernel to say (A20).
func (s *Socket) TryRecvv(bufs [][]byte, f MsgFlags) (int, MsgFlags, error) {
	return s.recvv(context.Background(), bufs, f|DontWait)
}

// Recvv is TryRecvv that waits as Recv does.
func (s *Socket) Recvv(ctx context.Context, bufs [][]byte, f MsgFlags) (int, MsgFlags, error) {
	return s.recvv(ctx, bufs, f)
}

func (s *Socket) recvv(ctx context.Context, bufs [][]byte, f MsgFlags) (int, MsgFlags, error) {
	m, err := s.recvMsg(ctx, bufs, f, wantNothing)
	if len(bufs) > iovInline && errors.Is(err, unix.ENOTCONN) {
		// Elsewhere long lists are cut to what there is, and who asks a listening socket for that is told so. Nothing
		// of ours is faster for being cut, so that it is asked for the answer alone.
		if _, refused := s.Available(); refused != nil {
			err = refused
		}
	}
	return m.N, m.Flags, err
}

// TryRecvFrom wraps recvfrom(2): TryRecv that says where the data comes from, and whether a datagram was longer than b
// (Truncated, N48). With an empty b it says that of what is there, and takes nothing.
func (s *Socket) TryRecvFrom(b []byte, f MsgFlags) (int, Addr, MsgFlags, error) {
	return s.recvFrom(context.Background(), b, f|DontWait)
}

// RecvFrom is TryRecvFrom that waits as Recv does. A datagram socket has no port before Bind, Connect or the first
// send: a receive that begins without one waits until another goroutine does that, and for ever where none does.
func (s *Socket) RecvFrom(ctx context.Context, b []byte, f MsgFlags) (int, Addr, MsgFlags, error) {
	return s.recvFrom(ctx, b, f)
}

// TryRecvMsg wraps recvmsg(2): TryRecvFrom into many buffers, that also says how the packet came, see PacketInfo. The
// first call on an IP socket has the kernel tell that from then on (N17). Empty buffers take a datagram (A21).
func (s *Socket) TryRecvMsg(bufs [][]byte, f MsgFlags) (Msg, error) {
	return s.recvMsg(context.Background(), bufs, f|DontWait, wantPacketInfo)
}

// RecvMsg is TryRecvMsg that waits as Recv does, and as RecvFrom where the socket has no port.
func (s *Socket) RecvMsg(ctx context.Context, bufs [][]byte, f MsgFlags) (Msg, error) {
	return s.recvMsg(ctx, bufs, f, wantPacketInfo)
}

// GoRecvMsg is RecvMsg in the background, as GoRecv is Recv. The list is copied, the buffers are not.
func (s *Socket) GoRecvMsg(bufs [][]byte, f MsgFlags, done func(m Msg, err error)) *Op {
	if done == nil {
		return s.refuseOp(receiving, s.invalid("recvmsg", unix.EINVAL), nil)
	}
	o, err := s.newRecvMsg(slices.Clone(bufs), f, wantPacketInfo)
	if err != nil {
		return s.refuseOp(receiving, err, func() { done(Msg{}, err) })
	}
	o.callback = func(o *op) { done(s.msg(o), o.fault()) }
	return s.launch(o, s.ReadTimeout())
}

// want is what a recvmsg(2) is to tell.
type want uint8

const (
	wantNothing want = iota
	wantName
	wantPacketInfo // and the name
)

func (s *Socket) recvFrom(ctx context.Context, b []byte, f MsgFlags) (int, Addr, MsgFlags, error) {
	var room [1]byte
	bufs := [1][]byte{b}
	if len(b) == 0 {
		bufs[0] = room[:]
	}
	o, err := s.newRecvMsg(bufs[:], f, wantName)
	if err != nil {
		return 0, Addr{}, 0, err
	}
	defer o.recycle()
	o.msg.set(bufs[0])
	if len(b) == 0 {
		o.peek, o.flags = true, o.flags|unix.MSG_PEEK
	}
	s.perform(ctx, o, s.ReadTimeout())
	m := s.msg(o)
	return m.N, m.From, m.Flags, o.fault()
}

func (s *Socket) recvMsg(ctx context.Context, bufs [][]byte, f MsgFlags, w want) (Msg, error) {
	o, err := s.newRecvMsg(bufs, f, w)
	if err != nil {
		return Msg{}, err
	}
	defer o.recycle()
	s.perform(ctx, o, s.ReadTimeout())
	return s.msg(o), o.fault()
}

// newRecvMsg prepares recvmsg(2).
func (s *Socket) newRecvMsg(bufs [][]byte, f MsgFlags, w want) (*op, error) {
	if err := f.check(); err != nil {
		return nil, s.refuse("recvmsg", err)
	}
	if w == wantPacketInfo {
		if err := s.needPacketInfo(); err != nil {
			return nil, err
		}
	}
	o := newOp(opRecvMsg, int(f&^DontWait))
	o.once = f&DontWait != 0
	o.msg.bufs, o.msg.stream = bufs, s.isStream()
	o.whole, o.complete = f&(WaitAll|Peek) == WaitAll, s.refusesTruncated(f)
	if w >= wantName {
		o.msg.nameLen = MaxAddrLen
	}
	if w == wantPacketInfo {
		o.msg.control = controlMax
	}
	return o, nil
}

// msg is what a receive has brought.
func (s *Socket) msg(o *op) Msg {
	if !o.succeeded {
		return Msg{N: o.n}
	}
	m := Msg{N: o.n, Flags: MsgFlags(o.msg.flags) & flagsReported}
	if o.msg.nameLen > 0 {
		m.From = s.engine.told(parseAddr(o.msg.name[:min(o.msg.nameLen, MaxAddrLen)]))
	}
	if o.msg.control > 0 {
		m.PacketInfo = parsePacketInfo(o.msg.controls[:o.msg.control])
		if !s.engine.keepMapped {
			m.PacketInfo.Addr = m.PacketInfo.Addr.Unmap()
		}
	}
	return m
}

// ReadTimeout returns how long a receive may wait, 0 for as long as it takes.
func (s *Socket) ReadTimeout() time.Duration { return time.Duration(s.readTimeout.Load()) }

// WriteTimeout returns how long a send may wait, 0 for as long as it takes.
func (s *Socket) WriteTimeout() time.Duration { return time.Duration(s.writeTimeout.Load()) }
