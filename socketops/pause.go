//go:build linux

package socketops

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Lengths of the pauses between attempts: each is twice the one before.
const (
	pauseMin = time.Millisecond
	pauseMax = 64 * time.Millisecond
)

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
