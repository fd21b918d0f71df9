package aio

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"time"
)

// notifier is an eventfd that completions count up, and that the runtime's poller waits for: no thread is held. What
// it counts is no more than a hint to look at the ring.
type notifier struct {
	file  *os.File
	fd    int
	count [8]byte
	poker func() // poke, made once
}

func newNotifier() (*notifier, error) {
	file, fd, err := newEventfd()
	if err != nil {
		return nil, err
	}
	n := &notifier{file: file, fd: fd}
	n.poker = n.poke
	return n, nil
}

// one is what poke adds to the count.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// poke wakes who sleeps, or the next to sleep. It does nothing once the notifier is closed.
func (n *notifier) poke() { _, _ = n.file.Write(one) }

// sleep waits until a completion was counted, somebody pokes, ctx ends, or the deadline, if any, has passed. Which of
// them it was the caller finds out. Only one may sleep at a time.
func (n *notifier) sleep(ctx context.Context, deadline time.Time) error {
	if err := n.file.SetReadDeadline(deadline); err != nil {
		return err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, n.poker)
		defer stop()
	}
	if _, err := n.file.Read(n.count[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

func (n *notifier) close() { _ = n.file.Close() }
