package aio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sockring/uring/internal/unix"
)

// Queue runs Requests on a Context of its own. All methods are safe for concurrent use. The zero Queue is a closed one.
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

	submitCall submitCall // io_submit(2)

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
		if opt == nil {
			return nil, errNilOption
		}
		opt(&o)
	}
	q := &Queue{
		c: c, waitWithoutRequests: o.waitWithoutRequests,
		supports: supports, submitCall: ioSubmit,
		turn: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	return q, nil
}

// MaxRequests returns how many requests the Queue was made for.
func (q *Queue) MaxRequests() int {
	if q.c == nil { // of the zero Queue
		return 0
	}
	return q.c.MaxRequests()
}

// InFlight returns how many requests were submitted and not completed.
func (q *Queue) InFlight() int {
	if q.c == nil {
		return 0
	}
	return q.c.Stats().InFlight
}

// isClosing reports whether Close was called, or the Queue is the zero one.
func (q *Queue) isClosing() bool {
	if q.c == nil {
		return true
	}
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

// submitWindow is how many requests are handed over at a time.
const submitWindow = 64

// Submit hands prepared requests to the kernel and returns how many it took. It takes them in order, and completes
// them in any: a flush is not ordered behind the writes before it.
//
// An error is about reqs[n], the first that was not taken:
//
//   - ErrInvalid for a nil Request or one that is in the list twice, ErrNotPrepared, ErrInProgress, ErrClosed: nothing
//     was changed at all, and n is 0.
//   - ErrInsufficientResources: as many are in flight as the Queue was made for. reqs[n:] stay prepared.
//   - Otherwise the kernel has refused what reqs[n] asks, which completes it with that error, as its Result tells; Wait
//     does not return it. reqs[n+1:] stay prepared.
func (q *Queue) Submit(reqs ...*Request) (n int, err error) {
	if q.isClosing() {
		return 0, ErrClosed // without waiting for who closes
	}
	q.gate.RLock()
	defer q.gate.RUnlock()
	if q.isClosing() {
		return 0, ErrClosed
	}
	if err := claimAll(reqs); err != nil {
		return 0, err
	}
	for n < len(reqs) {
		end := min(len(reqs), n+submitWindow)
		taken, err := q.submit(reqs[n:end])
		if n += taken; err != nil {
			unclaim(reqs[end:])
			return n, err
		}
	}
	return n, nil
}

// claimAll reserves all requests, or none.
func claimAll(reqs []*Request) error {
	for i, r := range reqs {
		err := claim(r)
		if err == nil {
			continue
		}
		if r != nil && slices.Contains(reqs[:i], r) {
			err = invalid("the same Request twice")
		}
		unclaim(reqs[:i])
		return fmt.Errorf("aio: request %d of %d: %w", i, len(reqs), err)
	}
	return nil
}

// unclaim leaves requests prepared that the kernel has not taken.
func unclaim(reqs []*Request) {
	for _, r := range reqs {
		r.unclaim()
	}
}

// submit hands over claimed requests, up to submitWindow, and returns how many were taken. Where the error is about the
// next it completes that; the others it leaves prepared.
func (q *Queue) submit(reqs []*Request) (n int, err error) {
	var window [submitWindow]*IOCB
	free, err := q.c.IOCBs(window[:len(reqs)])
	iocbs := window[:free]
	for i := 0; err == nil && i < free; i++ {
		err = reqs[i].fill(iocbs[i])
	}
	if err != nil {
		release(iocbs)
		unclaim(reqs)
		return 0, err
	}
	for i, cb := range iocbs {
		reqs[i].launch(q, cb.ID())
	}
	n, err = q.c.submitBy(q.submitCall, iocbs)
	release(iocbs[n:])
	rest := reqs[n:]
	if err != nil {
		if err = q.explain(rest[0].op, err); isAboutRequest(err) {
			rest[0].complete(0, err)
			rest = rest[1:]
		}
	} else if len(rest) > 0 {
		err = ErrInsufficientResources
	}
	unclaim(rest)
	return n, err
}

func release(iocbs []*IOCB) {
	for _, cb := range iocbs {
		_ = cb.Release() // They are held and prepared.
	}
}

// isAboutRequest reports whether an error of io_submit is about what the request asks, and not about the kernel's or
// the process's state.
func isAboutRequest(err error) bool {
	var missing *UnsupportedError
	if errors.As(err, &missing) {
		return missing.Name != "io_submit"
	}
	return !errors.Is(err, ErrInsufficientResources) && !errors.Is(err, ErrClosed)
}

// explain tells an operation that the kernel does not have from one that does not go with the file: it answers EINVAL
// to both.
func (q *Queue) explain(op opcode, err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
		return &UnsupportedError{
			Name: "io_submit", Missing: "a seccomp filter or security module refuses it",
			Provider: "a profile that allows io_submit", Err: err,
		}
	case op != opPoll && op != opFsync && op != opFdsync, !errors.Is(err, unix.EINVAL):
		return err
	case !errors.Is(q.supports(op), unix.EINVAL):
		return err
	}
	command := map[opcode]string{opPoll: "IOCB_CMD_POLL", opFsync: "IOCB_CMD_FSYNC", opFdsync: "IOCB_CMD_FDSYNC"}[op]
	return &UnsupportedError{
		Name: command, Missing: "a kernel that does not know it", Provider: "kernel 4.18",
		SinceMajor: 4, SinceMinor: 18, Err: err,
	}
}

// wait is Wait and WaitTimeout. Whoever has to sleep takes the turn, for one can sleep at a time; looking at what has
// completed needs none.
func (q *Queue) wait(ctx context.Context, deadline time.Time, least int, out []*Request) (n int, err error) {
	switch {
	case q.isClosing():
		return 0, ErrClosed
	case ctx == nil:
		return 0, errNilContext
	case len(out) == 0:
		return 0, invalid("no room for a request")
	}
	if err := checkRange(least, len(out)); err != nil {
		return 0, err
	}
	least = max(least, 1)
	myTurn := false
	defer func() {
		if myTurn {
			q.leaveTurn()
		}
	}()
	for {
		k, done, err := q.look(ctx, deadline, least-n, out[n:])
		if n += k; done {
			return n, err
		}
		if myTurn {
			err = q.c.notifier.sleep(ctx, deadline)
		} else {
			// Having the turn, look again before sleeping: what others do next they rouse a sleeper for.
			myTurn = q.takeTurn(ctx, deadline)
		}
		if err != nil {
			return n, err
		}
	}
}

// look takes what has completed and reports whether the wait is over. What the kernel has for it comes first, then the
// reasons to end the wait, in the order of their weight.
func (q *Queue) look(ctx context.Context, deadline time.Time, least int, out []*Request) (int, bool, error) {
	if q.isClosing() {
		return 0, true, ErrClosed
	}
	n, err := q.reap(out)
	switch {
	case err != nil:
		return n, true, err
	case q.woken.CompareAndSwap(true, false):
		return n, true, ErrInterrupted
	case n >= least:
		return n, true, nil
	case !q.waitWithoutRequests && q.InFlight() == 0:
		if q.isClosing() { // since, and what was in flight is what closing has drained
			return n, true, ErrClosed
		}
		return n, true, ErrNoRequests
	case ctx.Err() != nil:
		return n, true, ctx.Err()
	case !deadline.IsZero() && !time.Now().Before(deadline):
		return n, true, ErrTimeout
	}
	return n, false, nil
}

// takeTurn makes the caller the one who sleeps. It gives up when looking again will end the wait.
func (q *Queue) takeTurn(ctx context.Context, deadline time.Time) bool {
	select {
	case q.turn <- struct{}{}: // without a timer, as there is mostly one who waits
		q.sleeping.Store(true)
		return true
	default:
	}
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case q.turn <- struct{}{}:
		q.sleeping.Store(true)
		return true
	case <-q.closing:
	case <-ctx.Done():
	case <-timeout:
	}
	return false
}

func (q *Queue) leaveTurn() {
	q.sleeping.Store(false)
	<-q.turn
}

// reap completes requests whose events are there, and stores them in out.
func (q *Queue) reap(out []*Request) (n int, err error) {
	q.c.reaping.Lock()
	defer q.c.reaping.Unlock()
	if q.c.isClosed() {
		return 0, ErrClosed
	}
	for n < len(out) {
		events := q.events[:min(len(out)-n, len(q.events))]
		k, err := q.c.reap(events)
		for i := range events[:k] {
			if r, ok := events[i].Data.(*Request); ok {
				r.complete(events[i].Result())
				out[n] = r
				n++
			}
			events[i] = Event{}
		}
		if k < len(events) || err != nil {
			if n > 0 && q.InFlight() == 0 {
				q.rouse() // Who waits for a request may now have none to wait for.
			}
			return n, err
		}
	}
	return n, nil
}

// Close ends the Queue: it cancels the polls in flight, waits until all requests have completed, and destroys the
// context, which takes some 30 ms. Wait and Submit give ErrClosed from the start; requests that complete now are not
// returned by Wait any more, but have their results when Close returns. Closing again waits for the same end.
func (q *Queue) Close() error { return q.CloseNow(context.Background()) }

// CloseNow is Close that waits no longer than ctx. If that is not enough, the error is ctx's and says how many requests
// were in flight; buffers stay the kernel's until the Queue has ended, which goes on by itself.
func (q *Queue) CloseNow(ctx context.Context) error {
	if q.c == nil {
		return nil
	}
	if ctx == nil {
		return errNilContext
	}
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

// A kernel that does not tell events now may do so later: all that a Queue has would be kept for ever otherwise. So it
// is asked again for about a second.
const (
	reapPause       = 10 * time.Millisecond
	reapRefusalsMax = 100
)

// cancelPause is how long closing waits before it asks again for the cancellation of polls that the kernel has refused,
// as it does while one is being woken.
const cancelPause = 100 * time.Millisecond

// end drains the Queue and destroys its context.
func (q *Queue) end() {
	defer close(q.closed)
	q.gate.Lock() // No Submit is under way, and none comes.
	defer q.gate.Unlock()
	q.turn <- struct{}{} // Nobody sleeps, and who wants to sees that the Queue closes.
	q.sleeping.Store(true)
	var drained [submitWindow]*Request
	for refusals := 0; ; {
		q.c.cancelPolls()
		n, err := q.reap(drained[:])
		clear(drained[:])
		if n > 0 || err == nil {
			refusals = 0
		} else if refusals < reapRefusalsMax {
			refusals++
			time.Sleep(reapPause)
			continue
		}
		if err == nil && q.InFlight() > 0 {
			err = q.c.notifier.sleep(context.Background(), time.Now().Add(cancelPause))
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
