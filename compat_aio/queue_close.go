package aio

import (
	"context"
	"fmt"
	"time"
)

// Close ends the Queue: it cancels the polls in flight, waits until all requests have completed, and destroys the
// context, which takes some 30 ms. Wait and Submit give ErrClosed from the start; requests that complete now are not
// returned by Wait any more, but have their results when Close returns. Closing again waits for the same end.
func (q *Queue) Close() error { return q.CloseNow(context.Background()) }

// CloseNow is Close that waits no longer than ctx. If that is not enough, the error is ctx's and says how many requests
// were in flight; buffers stay the kernel's until the Queue has ended, which goes on by itself.
func (q *Queue) CloseNow(ctx context.Context) error {
	q.once.Do(func() {
		close(q.closing)
		q.rouse()
		go q.end()
	})
	select {
	case <-q.closed:
		return q.closeErr
	default:
	}
	select {
	case <-q.closed:
		return q.closeErr
	case <-ctx.Done():
		return fmt.Errorf("aio: closing with %d requests in flight: %w", q.InFlight(), ctx.Err())
	}
}

// end drains the Queue and destroys its context.
func (q *Queue) end() {
	defer close(q.closed)
	q.gate.Lock() // No Submit is under way, and none comes.
	defer q.gate.Unlock()
	q.turn <- struct{}{} // Nobody sleeps, and who wants to sees that the Queue closes.
	q.sleeping.Store(true)
	q.c.cancelPolls()
	var drained [submitWindow]*Request
	for {
		_, err := q.reap(drained[:])
		clear(drained[:])
		if err == nil && q.InFlight() > 0 {
			err = q.c.notifier.sleep(context.Background(), time.Time{})
		}
		if err != nil {
			q.closeErr = err // The context stays as it is: the kernel may be using it.
			return
		}
		if q.InFlight() == 0 {
			break
		}
	}
	q.c.reaping.Lock() // A Poll may still be looking.
	defer q.c.reaping.Unlock()
	q.closeErr = q.c.shut()
}
