//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/examples/internal/proto"
)

// send makes one send request of each message. Requests on one socket may overtake each other once they have to
// wait, so those of a connection are linked: each starts when the one before has sent all of its message. MSG_MORE
// on all but the last of a batch lets TCP fill its segments, as it does by itself for the other modes.
type send struct {
	*arena
	loop
	fds  sockets
	wave int // connections whose batches fit the submission queue together
}

func openSend(job proto.Job) (batcher, error) {
	a, fds, err := arenaAndSockets(job)
	if err != nil {
		return nil, err
	}
	s := &send{arena: a, fds: fds, wave: min(job.Conns, entriesMax/job.Msgs)}
	requests := s.wave * job.Msgs
	if s.loop, err = newLoop(requests, requests); err != nil {
		fds.close()
		a.close()
		return nil, err
	}
	return s, nil
}

func (s *send) close() {
	s.ring.Close()
	s.fds.close()
	s.arena.close()
}

func (s *send) pass() error {
	for first := 0; first < len(s.fds); first += s.wave {
		last := min(first+s.wave, len(s.fds))
		for conn := first; conn < last; conn++ {
			if err := s.queue(conn); err != nil {
				return err
			}
		}
		if err := s.runWaiting((last-first)*s.job.Msgs, s); err != nil {
			return err
		}
	}
	return nil
}

// queue fills the chain of requests that send the connection's batch.
func (s *send) queue(conn int) error {
	for slot := range s.job.Msgs {
		sqe, err := s.ring.SQE()
		if err != nil {
			return err
		}
		last := slot == s.job.Msgs-1
		flags := unix.MSG_WAITALL
		if !last {
			flags |= unix.MSG_MORE
		}
		if err := sqe.PrepSend(s.fds[conn], s.msg(conn, slot), flags); err != nil {
			return err
		}
		if !last {
			sqe.Link()
		}
	}
	return nil
}

func (s *send) complete(c *uring.CQE) (int, error) {
	switch err := c.Err(); {
	case errors.Is(err, unix.ECANCELED):
		return 1, nil // by the failure of one before it in its chain, which is told of too
	case err != nil:
		return 0, err
	case int(c.Res) != s.job.Size:
		return 0, fmt.Errorf("send of %d bytes ended after %d: %w", s.job.Size, c.Res, io.ErrShortWrite)
	}
	return 1, nil
}
