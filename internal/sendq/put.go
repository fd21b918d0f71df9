package sendq

import (
	"context"
	"errors"
	"fmt"

	"github.com/sockring/uring/internal/unix"
)

// Engine is what moves the bytes of a queue, as those see it that put something in.
type Engine interface {
	// Queued says that something was put into the queue.
	Queued()

	// AwaitRoom sends until at least one byte has left, or says why none will.
	AwaitRoom(ctx context.Context) error
}

// Put calls put, which puts something into a queue, and waits for room as often as it must.
func Put(ctx context.Context, e Engine, put func() error) error {
	for {
		err := put()
		if err == nil {
			e.Queued()
		}
		if !Waitable(err) {
			return Explain(err)
		}
		if err := e.AwaitRoom(ctx); err != nil {
			return err
		}
	}
}

// WriteAll is Write for a message that the queue has refused with err: it waits for room, and takes a message longer
// than the limit in pieces that are messages of their own. It returns how much it took.
func (q *Queue) WriteAll(ctx context.Context, e Engine, p []byte, err error) (int, error) {
	if !errors.Is(err, ErrTooLong) {
		if err := Put(ctx, e, func() error { return q.Write(p) }); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	for done := 0; done < len(p); {
		piece := p[done:min(len(p), done+q.limit)]
		if err := Put(ctx, e, func() error { return q.Write(piece) }); err != nil {
			return done, err
		}
		done += len(piece)
	}
	return len(p), nil
}

// Waitable reports whether sending some of what is queued lets the same call succeed.
func Waitable(err error) bool { return errors.Is(err, ErrLimit) || errors.Is(err, ErrSlabFull) }

// Explain has an error that stands for an errno wrap it.
func Explain(err error) error {
	if errors.Is(err, ErrTooLong) {
		return fmt.Errorf("%w: %w", err, unix.EMSGSIZE)
	}
	return err
}
