package aio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Queue runs Requests on a Context of its own. All methods are safe for concurrent use.
//
// Waiting is done in the runtime's poller, so it holds no thread. Submitting holds one for as long as the kernel works
// on what it completes at once, see Context.Submit.
type Queue struct {
	c                   *Context
	waitWithoutRequests bool

	gate     sync.RWMutex // read-locked by Submit, so that closing can wait for those under way
	turn     chan struct{}
	sleeping atomic.Bool // somebody has the turn
	woken    atomic.Bool // by Wakeup, and nobody was told
	closing  chan struct{}
	closed   chan struct{}
	once     sync.Once
	closeErr error // valid once closed is closed

	events [eventsAtOnce]Event // guarded by Context.reaping

	// supports finds out whether the kernel knows an operation at all.
	supports func(op opcode) error
}

// WithWaitWithoutRequests has Wait wait when nothing is in flight, for Requests that others will submit, or for Wakeup.
func WithWaitWithoutRequests() Option { return func(o *options) { o.waitWithoutRequests = true } }

// NewQueue makes a Queue for up to max requests at a time. See NewContext for what it costs and for its errors.
func NewQueue(max int, opts ...Option) (*Queue, error) {
	c, err := NewContext(max, opts...)
	if err != nil {
		return nil, err
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	q := &Queue{
		c: c, waitWithoutRequests: o.waitWithoutRequests,
		supports: supports, turn: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	return q, nil
}

// MaxRequests returns how many requests the Queue was made for.
func (q *Queue) MaxRequests() int { return q.c.MaxRequests() }

// InFlight returns how many requests were submitted and not completed.
func (q *Queue) InFlight() int { return q.c.Stats().InFlight }

// isClosing reports whether Close was called.
func (q *Queue) isClosing() bool {
	select {
	case <-q.closing:
		return true
	default:
		return false
	}
}

// rouse has who sleeps look again.
func (q *Queue) rouse() {
	if q.sleeping.Load() {
		q.c.notifier.poke()
	}
}

// Wakeup ends the Wait that is under way, or else the next one, with ErrInterrupted. Several calls before a Wait has
// taken notice count as one.
func (q *Queue) Wakeup() error {
	if q.isClosing() {
		return ErrClosed
	}
	q.woken.Store(true)
	q.rouse()
	return nil
}

// Wait waits until at least min requests have completed, stores them in out, and returns how many there are; a min of 0
// counts as 1. Which of several Waits at the same time gets a request is open.
//
// What has completed is returned with every error: ErrClosed once Close was called; ErrInterrupted after Wakeup; the
// error of ctx; ErrNoRequests when nothing is in flight that could make up min, unless WithWaitWithoutRequests.
// Without room in out the error is ErrInvalid, and ErrOutOfRange where min is negative or more than len(out).
func (q *Queue) Wait(ctx context.Context, min int, out []*Request) (n int, err error) {
	return q.wait(ctx, time.Time{}, min, out)
}

// WaitTimeout is Wait with a time-out in place of a context: ErrTimeout when it is reached. The time is monotonic. A
// negative d waits for ever, and 0 does not wait.
func (q *Queue) WaitTimeout(d time.Duration, min int, out []*Request) (n int, err error) {
	var deadline time.Time
	if d >= 0 {
		deadline = time.Now().Add(d)
	}
	return q.wait(context.Background(), deadline, min, out)
}

// Poll stores requests that have completed in out, without waiting, and returns how many.
func (q *Queue) Poll(out []*Request) (n int, err error) {
	switch {
	case q.isClosing():
		return 0, ErrClosed
	case len(out) == 0:
		return 0, invalid("no room for a request")
	}
	return q.reap(out)
}
