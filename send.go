package uring

import (
	"context"
	"errors"
	"io"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// Send wraps send(2) over the ring: it sends p on a socket, waits for the result and returns how many bytes left.
// p is the kernel's until Send returns. Where ctx ends first the request is cancelled, and the count is what had
// left by then; with unix.MSG_WAITALL kernels before 6.1 do not know how much of it had left, and the count is 0. flags
// are MSG_ flags; SIGPIPE is never raised. It needs kernel 5.6.
//
// Where the kernel does not let go of p in the time of WithCloseTimeout either, the error is a *LeakError: p stays the
// kernel's, and pinned, until the ring has reaped the request's last completion. That holds for SendTo, SendZC and
// SendBundle, too.
func (r *Ring) Send(ctx context.Context, fd int, p []byte, flags int) (int, error) {
	k := r.newCall()
	defer k.release()
	return k.run(ctx, func(s *SQE) error { return s.PrepSend(fd, p, flags) })
}

// SendTo wraps sendto(2) over the ring: Send to the address to, for datagram sockets. It needs kernel 6.0; older
// ones take PrepSendmsg.
func (r *Ring) SendTo(ctx context.Context, fd int, p []byte, flags int, to *Sockaddr) (int, error) {
	k := r.newCall()
	defer k.release()
	return k.run(ctx, func(s *SQE) error { return s.PrepSendTo(fd, p, flags, to) })
}

// SendZC sends p without copying it where the route allows, waits until the kernel has let go of p, and returns
// how many bytes left and whether the kernel copied them after all, as it always does on loopback. See
// io_uring_prep_send_zc(3). flags are MSG_ flags. A socket that cannot send so gives EOPNOTSUPP. It needs kernel 6.0;
// copied is told from 6.2 on, where bytes left.
//
// The kernel lets go of p when the peer's side has: a peer that does not read can keep it. Where ctx ends first the
// request is cancelled, and SendZC waits for the kernel to let go for at most WithCloseTimeout. Then the error is a
// *LeakError, too, p stays the kernel's, and the count is right all the same unless the kernel has not even told it.
func (r *Ring) SendZC(ctx context.Context, fd int, p []byte, flags int) (n int, copied bool, err error) {
	k := r.newCall()
	defer k.release()
	n, err = k.run(ctx, func(s *SQE) error { return s.PrepSendZC(fd, p, flags, cring.SendZCReportUsage) })
	if n == 0 && k.state == callOver && errors.Is(err, unix.EINVAL) { // the report is younger than the operation
		n, err = k.run(ctx, func(s *SQE) error { return s.PrepSendZC(fd, p, flags, 0) })
	}
	return n, k.copied && n > 0, err
}

// SendBundle sends every buffer published in b on a stream socket, in the order of the ring, by as few requests as
// the kernel needs, and returns how many bytes left. All buffers are the application's afterwards. Where it ends
// early, by ctx or because a request did, the count says exactly where the stream stands, and the error is not
// nil: io.ErrShortWrite where nothing else is to be said. No other request of the group may be in flight. With a
// *LeakError the count may grow, and the buffers stay the kernel's: Withdraw gives EBUSY until the request has ended,
// and takes back what was not sent from then on.
//
// On a datagram socket a bundle would join its buffers into one datagram; that is refused. It needs kernel 6.10
// (IORING_FEAT_RECVSEND_BUNDLE).
func (r *Ring) SendBundle(ctx context.Context, fd int, b *BufRing, flags int) (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	if err := r.canBundle(fd); err != nil {
		return 0, err
	}
	if err := b.idle("send from"); err != nil {
		return 0, err
	}
	k := r.newCall()
	defer k.release()
	k.from = b
	sent := 0
	for b.unaccounted() > 0 {
		n, err := k.run(ctx, func(s *SQE) error { return s.PrepSendBundle(fd, b.Group(), flags) })
		sent += n
		switch {
		case err != nil:
		case n == 0:
			err = io.ErrNoProgress
		case k.short:
			err = io.ErrShortWrite
		case b.unaccounted() > 0:
			err = b.resumable()
		}
		if err != nil {
			if k.state == callOver {
				k.pieces, _ = b.Withdraw(k.pieces[:0])
			}
			return sent, err
		}
	}
	return sent, nil
}

// canBundle reports why a bundle must not be sent on fd, if so.
func (r *Ring) canBundle(fd int) error {
	if r.Features()&FeatRecvSendBundle == 0 {
		return &UnsupportedError{
			Name: "send bundle", Missing: "IORING_FEAT_RECVSEND_BUNDLE", Provider: "kernel 6.10",
			SinceMajor: 6, SinceMinor: 10,
		}
	}
	return streamOnly(fd)
}
