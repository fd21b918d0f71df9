//go:build linux

package socketops

import "time"

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
