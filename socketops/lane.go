//go:build linux

package socketops

import (
	"encoding/binary"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lane is the queue of one direction. Operations leave it in the order in which they came, and the head alone has its
// turn, which is to be parked or to be with the engine: several receives in flight would complete last-in first-out,
// and several sends would overtake each other (B05, N58). Only sends that leave by one request are with the engine
// together.
type lane struct {
	handle *handle

	mu      sync.Mutex // guards what follows, and the fields of queued operations
	first   *op        // the head, which the engine has where busy is set
	last    *op
	busy    bool  // the head is parked, or the engine has it and perhaps those behind it
	event   bool  // the socket became ready while nobody waited for that
	stopped error // why no operation is admitted any more
	seated  bool  // a goroutine has the seat, see park.go
	roused  bool  // and was told to leave it

	deadline deadline
	stats    DirectionStats

	held int           // bytes that sends have waiting
	room chan struct{} // closed when held has become less, or nil where nobody waits for that

	finished     *op // operations that are over and whose callbacks have not run, in order
	finishedLast *op // the last of them
	calling      bool
}

// push queues an operation, whose turn it is where it is the first. mu is held.
func (l *lane) push(d driver, o *op) {
	o.lane, o.driver, o.state = l, d, opQueued
	if l.first == nil {
		l.first = o
	} else {
		l.last.next = o
	}
	l.last = o
	l.hold(o)
	l.stats.queued()
	l.run()
}

// run gives the head its turn, where nothing else has that. mu is held.
func (l *lane) run() {
	for l.first != nil && !l.busy {
		o := l.first
		if l.parks(o) {
			if o.parked || !l.seated {
				l.summon(o)
			}
			return // or until the seat is free
		}
		o.parked = false
		p, err := l.handle.openPort(o.driver)
		if err != nil {
			o.err = err
			l.drop(o)
			continue
		}
		l.busy, o.state = true, opInFlight
		if o.slow() && !o.tried {
			l.work(o)
			return
		}
		if p.start(o) {
			l.busy = false
			l.drop(o)
		}
	}
}

// over ends the head that has its turn, and its result. mu is held.
func (l *lane) over(o *op) {
	l.busy = false
	l.drop(o)
	l.run()
}

// drop takes an operation out of the queue and hands out its result. mu is held.
func (l *lane) drop(o *op) {
	if l.first == o {
		l.first = o.next
	} else {
		p := l.first
		for p.next != o {
			p = p.next
		}
		if p.next = o.next; o == l.last {
			l.last = p
		}
	}
	if l.first == nil {
		l.last = nil
	}
	o.next = nil
	if o.parked {
		l.roused = true
		l.handle.parking.Load().rouse(o.kind.direction())
	}
	l.unhold(o, o.held)
	o.settle()
	l.stats.Queued--
	l.stats.over(o)
	o.handle.release()
	if o.callback == nil {
		o.tell()
	} else {
		l.finish(o)
	}
}

// finish has the callback of an operation called that is over. mu is held.
func (l *lane) finish(o *op) {
	if o.timer != nil {
		o.timer.Stop()
	}
	if l.finishedLast == nil {
		l.finished = o
	} else {
		l.finishedLast.next = o
	}
	l.finishedLast = o
	if !l.calling {
		l.calling = true
		go l.callBack()
	}
}

// callBack calls the callbacks of finished operations, in order, and ends when there are none (B28, B30). It is no
// goroutine of the engine: a callback that blocks holds up those of its own lane only. One that calls runtime.Goexit
// ends this goroutine, and another one goes on with the next; one that panics ends the program, as any goroutine would.
func (l *lane) callBack() {
	returned := false
	defer func() {
		if !returned {
			go l.callBack()
		}
	}()
	for o := l.nextFinished(); o != nil; o = l.nextFinished() {
		o.callback(o)
	}
	returned = true
}

// nextFinished takes the next operation whose callback is to be called. Where there is none, callBack is over.
func (l *lane) nextFinished() *op {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.finished
	if o == nil {
		l.calling = false
		return nil
	}
	if l.finished = o.next; l.finished == nil {
		l.finishedLast = nil
	}
	o.next = nil
	return o
}

// cancel ends an operation with reason, which gets what it had transferred until then. One that is over, or that has
// another reason already, is left alone. What the engine has ends when the kernel is done with its memory.
func (l *lane) cancel(o *op, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelLocked(o, reason)
}

// cancelLocked is cancel with mu held. It reports whether the operation was still to be cancelled.
func (l *lane) cancelLocked(o *op, reason error) bool {
	switch {
	case o.state == opNew || o.state == opOver || o.reason != nil:
		return false
	case o.state == opQueued:
		o.reason = reason
		l.drop(o)
		return true
	}
	o.reason = reason
	if o.state == opInFlight && (o.parked || l.handle.port.cancel(o)) {
		l.over(o)
	}
	return true
}

// cancelEach cancels all operations, and reports whether there were any. Those that the engine does not have go first,
// so that none of them gets its turn. mu is held.
func (l *lane) cancelEach(reason error) (any bool) {
	for _, queued := range []bool{true, false} {
		for o := l.first; o != nil; {
			next := o.next // which a cancelled one forgets
			if queued == (o.state == opQueued) && l.cancelLocked(o, reason) {
				any = true
			}
			o = next
		}
	}
	return any
}

// stop cancels all operations, admits nothing more, and reports whether there were any.
func (l *lane) stop(reason error) (any bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == nil {
		l.stopped = reason
	}
	l.tellRoom()
	return l.cancelEach(reason)
}

// waiting returns the operation that a reactor attempts when the socket becomes ready or a pause is over, if there is
// one. What a ring has is none, nor is what is parked. mu is held.
func (l *lane) waiting() *op {
	if o := l.first; l.busy && o.state == opInFlight && o.ticket == 0 && !o.parked {
		return o
	}
	return nil
}

// becameReady attempts what waits for the socket's readiness, at once or with others in a batch. What pauses does not
// wait for that, and its attempts can be what makes the events.
func (l *lane) becameReady(b *aioBatch) {
	l.mu.Lock()
	switch o := l.waiting(); {
	case o == nil:
		l.event = true
	case o.pause > 0:
	case b != nil && b.takes(o):
		b.add(o)
		return // mu stays held until the batch is made
	default:
		l.retry(o)
	}
	l.mu.Unlock()
}

// fail ends the operation that waits, if any, with a reason. Those behind it get their turn.
func (l *lane) fail(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.waiting(); o != nil {
		o.err = reason
		l.over(o)
	}
}

// attempt attempts an operation that overtakes nothing (B03), and reports whether it is over. mu is held.
func (l *lane) attempt(o *op) bool {
	l.event = false
	return o.attempt()
}

// retry attempts the operation that the engine has, and ends it where it is over. mu is held.
func (l *lane) retry(o *op) {
	if o.slow() {
		l.work(o)
		return
	}
	if l.attempt(o) {
		l.over(o)
		return
	}
	l.remind(o)
}

// deadline is when the operations of a lane end. lane.mu guards it.
type deadline struct {
	at     time.Time // the zero time is never
	timer  *time.Timer
	passed bool
}

// setDeadline has the operations that wait, and those to come, end with ErrTimeout at t. It reports false where the
// socket got another lane, whose deadline it is.
func (l *lane) setDeadline(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == errReplaced {
		return false
	}
	l.deadline.at, l.deadline.passed = t, false
	if l.deadline.timer != nil {
		l.deadline.timer.Stop()
	}
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		l.expire()
	case l.deadline.timer == nil:
		l.deadline.timer = time.AfterFunc(left, l.deadlinePassed)
	default:
		l.deadline.timer.Reset(left)
	}
	return true
}

// deadlinePassed is called by the timer, which may be late: the deadline can have been moved since.
func (l *lane) deadlinePassed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.deadline.at; !at.IsZero() && !time.Now().Before(at) {
		l.expire()
	}
}

// expire ends what waits. mu is held.
func (l *lane) expire() {
	l.deadline.passed = true
	l.cancelEach(ErrTimeout)
}

// Lengths of the pauses between attempts: each is twice the one before.
const (
	pauseMin = time.Millisecond
	pauseMax = 64 * time.Millisecond
)

// refusalPatience is how long an engine bears that the kernel refuses its requests for want of memory or room. Nothing
// that was begun can end, or be cancelled, in that time. Tests change it.
var refusalPatience = 5 * time.Second

// rest has an operation that has to wait pause before its next attempt, where no event tells when that can succeed: a
// datagram socket that is not connected is writable whatever the unix socket has room for that it sends to, and so is
// one that is to be connected to a unix socket whose queue is full (N43).
func (o *op) rest() {
	toUnix := o.msg.nameLen > 0 && binary.NativeEndian.Uint16(o.msg.name[:]) == unix.AF_UNIX
	if toUnix && (o.kind == opSendMsg || o.kind == opConnect) {
		o.pause = longer(o.pause)
	}
}

// longer returns the length of the pause that follows one of length d, or none.
func longer(d time.Duration) time.Duration { return min(max(2*d, pauseMin), pauseMax) }

// remind has an operation attempted again when its pause is over, if it has one. mu is held.
func (l *lane) remind(o *op) {
	switch {
	case o.pause == 0:
	case o.reminder == nil:
		o.reminder = time.AfterFunc(o.pause, l.resume)
	default:
		o.reminder.Reset(o.pause)
	}
}

// resume attempts what pauses. A reminder that comes late finds another operation, or none, and does no harm.
func (l *lane) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.waiting(); o != nil && o.pause > 0 {
		l.retry(o)
	}
}

// slow reports whether the system call of an operation can take long even where the socket does not block: it reads
// from a file. Neither the goroutine of an engine nor a lock of the lane is kept by that.
func (o *op) slow() bool { return o.kind == opSendFile }

// work has an operation that the lane is busy with attempted by a goroutine of its own. mu is held.
func (l *lane) work(o *op) {
	o.state = opWorking
	go l.workOn(o)
}

// workOn attempts an operation until it is over, or has to wait for its socket.
func (l *lane) workOn(o *op) {
	for {
		l.mu.Lock()
		l.event = false
		l.mu.Unlock()
		o.tried = true
		if l.worked(o, o.call()) {
			return
		}
	}
}

// worked goes on with an operation as the result of its system call says, and reports whether that was the last one for
// now. What became ready meanwhile is attempted again (B03).
func (l *lane) worked(o *op, res int) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v := o.take(res); {
	case v == opDone || o.reason != nil:
		l.over(o)
	case v == opAgain || l.event:
		return false
	default:
		o.state = opInFlight
		if l.handle.port.start(o) {
			l.over(o)
		}
	}
	return true
}
