//go:build linux

package load

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/examples/internal/proto"
)

// aioSockets are the job's connections on a Batcher of Linux AIO, which needs no io_uring.
type aioSockets struct {
	*arena
	fds     sockets
	batcher *aio.Batcher
	socks   []*aio.Socket
}

func openAIOSockets(job proto.Job) (*aioSockets, error) {
	a, fds, err := arenaAndSockets(job)
	if err != nil {
		return nil, err
	}
	s := &aioSockets{arena: a, fds: fds}
	if s.batcher, err = aio.NewBatcher(job.Conns); err != nil {
		s.close()
		return nil, err
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			s.close()
			return nil, os.NewSyscallError("fcntl", err)
		}
		sock, err := s.batcher.Socket(fd)
		if err != nil {
			s.close()
			return nil, err
		}
		s.socks = append(s.socks, sock)
	}
	return s, nil
}

func (s *aioSockets) close() {
	if s.batcher != nil {
		s.batcher.Close()
	}
	s.fds.close()
	s.arena.close()
}

// syscalls counts submissions and waits. Go's scheduler makes more, to wait.
func (s *aioSockets) syscalls() uint64 {
	stats, err := s.batcher.Stats()
	if err != nil {
		return 0
	}
	return stats.Submits + stats.Waits
}

// aioBatch sends the batches of all connections by one io_submit(2).
type aioBatch struct {
	*aioSockets
	ops []aio.Op
	out []aio.Result
}

func openAIO(job proto.Job) (batcher, error) {
	s, err := openAIOSockets(job)
	if err != nil {
		return nil, err
	}
	b := &aioBatch{aioSockets: s}
	for conn, sock := range s.socks {
		bufs := make([][]byte, job.Msgs)
		for slot := range bufs {
			bufs[slot] = s.msg(conn, slot)
		}
		b.ops = append(b.ops, aio.Op{Socket: sock, Bufs: bufs})
	}
	return b, nil
}

func (b *aioBatch) pass() error {
	var err error
	if b.out, err = b.batcher.Send(context.Background(), b.ops, b.out); err != nil {
		return err
	}
	for conn, r := range b.out {
		if r.Err != nil {
			return fmt.Errorf("connection %d: %w", conn, r.Err)
		}
	}
	return nil
}

// aioSender hands each message to the connection's aio.Sender, which copies it, and flushes every batch before the
// next begins.
type aioSender struct {
	*aioSockets
	senders []*aio.Sender
}

func openAIOSender(job proto.Job) (batcher, error) {
	s, err := openAIOSockets(job)
	if err != nil {
		return nil, err
	}
	a := &aioSender{aioSockets: s}
	for _, sock := range s.socks {
		one, err := sock.NewSender()
		if err != nil {
			s.close()
			return nil, err
		}
		a.senders = append(a.senders, one)
	}
	return a, nil
}

func (a *aioSender) pass() error {
	for conn, one := range a.senders {
		for slot := range a.job.Msgs {
			if _, err := one.Write(a.msg(conn, slot)); err != nil {
				return err
			}
		}
	}
	if err := a.batcher.Flush(context.Background()); err != nil {
		return err
	}
	for _, one := range a.senders {
		if err := one.Err(); err != nil {
			return err
		}
	}
	return nil
}
