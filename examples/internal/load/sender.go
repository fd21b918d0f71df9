//go:build linux

package load

import (
	"context"

	"github.com/sockring/uring"
	"github.com/sockring/uring/examples/internal/proto"
)

// sender hands each message to the connection's uring.Sender, which copies it. Left to itself a Sender sends
// whenever 64 KiB wait; with flushEach every batch is sent before the next begins, as in the other modes.
type sender struct {
	*arena
	loop
	fds       sockets
	senders   []*uring.Sender
	flushEach bool
}

func openSenderStream(job proto.Job) (batcher, error) { return openSender(job, false) }

func openSenderFlush(job proto.Job) (batcher, error) { return openSender(job, true) }

func openSender(job proto.Job, flushEach bool) (batcher, error) {
	a, fds, err := arenaAndSockets(job)
	if err != nil {
		return nil, err
	}
	s := &sender{arena: a, fds: fds, flushEach: flushEach}
	if s.loop, err = newLoop(job.Conns, 2*job.Conns); err != nil {
		fds.close()
		a.close()
		return nil, err
	}
	for _, fd := range fds {
		one, err := s.ring.NewSender(fd)
		if err != nil {
			s.close()
			return nil, err
		}
		s.senders = append(s.senders, one)
	}
	return s, nil
}

func (s *sender) close() {
	s.ring.Close()
	s.fds.close()
	s.arena.close()
}

func (s *sender) pass() error {
	for conn, one := range s.senders {
		for slot := range s.job.Msgs {
			if _, err := one.Write(s.msg(conn, slot)); err != nil {
				return err
			}
		}
	}
	if s.flushEach {
		return s.finish()
	}
	return nil
}

// finish sends what the Senders hold.
func (s *sender) finish() error {
	if err := s.ring.Flush(context.Background()); err != nil {
		return err
	}
	for _, one := range s.senders {
		if err := one.Err(); err != nil {
			return err
		}
	}
	return nil
}
