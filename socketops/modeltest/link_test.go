//go:build linux

package modeltest

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockring/uring/socketops"
)

// link is two connected sockets, and the model of what goes through them.
type link struct {
	spec  linkSpec
	sides [2]*side
	ways  [2]*way // by the side that sends
}

// side is one socket, and what was done to it. Each mark is set before the deed is begun: what it allows can be seen
// from then on.
type side struct {
	s    *socketops.Socket
	kind kind
	peer *side

	closing      atomic.Bool
	closedAt     atomic.Int64 // the time when Close had returned, or 0
	disconnected atomic.Bool
	shutRead     atomic.Bool
	shutWrite    atomic.Bool
	limits       [2]limit // receiving and sending
}

// limit is the earliest that a direction of a socket can run out of time.
type limit struct {
	mu       sync.Mutex
	deadline time.Time     // the first, or the zero time
	timeout  time.Duration // the shortest, or 0
}

func (l *limit) setDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.IsZero() || t.Before(l.deadline) {
		l.deadline = t
	}
}

func (l *limit) setTimeout(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d > 0 && (l.timeout == 0 || d < l.timeout) {
		l.timeout = d
	}
}

// passed reports whether what began at start can have run out of time.
func (l *limit) passed(start time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return !l.deadline.IsZero() && !now.Before(l.deadline) || l.timeout > 0 && now.Sub(start) >= l.timeout
}

func directionOf(sending bool) int {
	if sending {
		return 1
	}
	return 0
}

// gone reports whether the socket is no end of the connection any more, or not for long.
func (s *side) gone() bool { return s.closing.Load() || s.disconnected.Load() }

// broken reports whether the connection can have ended other than by the end of what was sent.
func (s *side) broken() bool {
	tcpReset := func(s *side) bool { return s.kind.tcp() && s.shutRead.Load() }
	return s.gone() || s.peer.gone() || tcpReset(s) || tcpReset(s.peer)
}

// way is one direction of a link.
type way struct {
	from, to *side

	mu    sync.Mutex // guards what follows
	sends []*transfer
	recvs []*transfer
}

// idMax is how many sends of a way can be told apart by their first byte.
const idMax = 255

// add notes a transfer that is about to begin, in the order of the calls of each goroutine. It reports false where
// there are too many sends.
func (w *way) add(tr *transfer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !tr.sending {
		w.recvs = append(w.recvs, tr)
		return true
	}
	if len(w.sends) == idMax {
		return false
	}
	w.sends = append(w.sends, tr)
	tr.id = byte(len(w.sends))
	pattern(tr.p, tr.id, 0)
	return true
}

// complete reports whether all that was sent has to arrive.
func (w *way) complete() bool {
	switch k := w.from.kind; {
	case w.to.gone() || w.from.disconnected.Load():
		return false
	case k.unix():
		return true
	}
	return w.from.kind.tcp() && !w.from.broken()
}

// connect makes the two sockets of a link.
func connect(e *socketops.Engine, spec linkSpec) (*link, error) {
	a, b, err := socketPair(e, spec.kind)
	if err != nil {
		return nil, err
	}
	if spec.kind.tcp() && spec.recvBuf > 0 {
		// With a window below a segment's size TCP waits for its timer, 200 ms for each piece.
		spec.recvBuf = max(spec.recvBuf, 20_000)
	}
	for _, s := range []*socketops.Socket{a, b} {
		if spec.sndBuf > 0 {
			err = errors.Join(err, s.SetSendBuffer(spec.sndBuf))
		}
		if spec.recvBuf > 0 {
			err = errors.Join(err, s.SetRecvBuffer(spec.recvBuf))
		}
	}
	l := &link{spec: spec, sides: [2]*side{{s: a, kind: spec.kind}, {s: b, kind: spec.kind}}}
	l.sides[0].peer, l.sides[1].peer = l.sides[1], l.sides[0]
	for i := range l.ways {
		l.ways[i] = &way{from: l.sides[i], to: l.sides[1-i]}
	}
	return l, err
}

var loopback = socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))

// socketPair makes two connected sockets.
func socketPair(e *socketops.Engine, k kind) (a, b *socketops.Socket, err error) {
	if k.unix() {
		return e.SocketPair(k.typ)
	}
	socket := func() *socketops.Socket {
		s, e := e.Socket(k.family, k.typ, 0)
		err = errors.Join(err, e)
		return s
	}
	l, a := socket(), socket()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangLimit/2)
	defer cancel()
	meet := func(from, to *socketops.Socket) {
		at, e := to.LocalAddr()
		err = errors.Join(err, e, from.Connect(ctx, at))
	}
	if err = l.Bind(loopback); err != nil {
		return nil, nil, err
	}
	if !k.stream() {
		if err = a.Bind(loopback); err == nil {
			meet(a, l)
			meet(l, a)
		}
		return a, l, err
	}
	if err = l.Listen(1); err != nil {
		return nil, nil, err
	}
	meet(a, l)
	if err != nil {
		return nil, nil, err
	}
	b, _, err = l.Accept(ctx)
	return a, b, errors.Join(err, l.Close())
}
