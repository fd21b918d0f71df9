//go:build linux

package load

import (
	"context"

	"github.com/sockring/uring"
	"github.com/sockring/uring/examples/bundlebench/internal/proto"
)

// sender hands each message to the connection's uring.Sender, which copies it, and flushes them all together.
type sender struct {
	*arena
	loop
	fds     sockets
	senders []*uring.Sender
}

func openSender(job proto.Job) (batcher, error) {
	a, fds, err := arenaAndSockets(job)
	if err != nil {
		return nil, err
	}
	s := &sender{arena: a, fds: fds}
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
