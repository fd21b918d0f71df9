//go:build linux

package socketops

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// SetReadTimeout sets how long a receive that begins from now on may wait, 0 for as long as it takes; less is EINVAL.
// SO_RCVTIMEO is set too, for others that use the descriptor, and does not matter to this package.
func (s *Socket) SetReadTimeout(d time.Duration) error {
	return s.setTimeout(optionKey{LevelSocket, OptReceiveTimeout}, d)
}

// SetWriteTimeout is SetReadTimeout for sends, with SO_SNDTIMEO.
func (s *Socket) SetWriteTimeout(d time.Duration) error {
	return s.setTimeout(optionKey{LevelSocket, OptSendTimeout}, d)
}

// setTimeout sets a time-out, and stores it only where the kernel has taken it, too (A61).
func (s *Socket) setTimeout(k optionKey, d time.Duration) error {
	if d < 0 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	name, timeout := unix.SO_RCVTIMEO, &s.readTimeout
	if k.name == OptSendTimeout {
		name, timeout = unix.SO_SNDTIMEO, &s.writeTimeout
	}
	const most = math.MaxInt64 - int64(time.Microsecond) // as NsecToTimeval rounds up
	tv := unix.NsecToTimeval(min(int64(d), most))
	return s.applyOption(k, func(fd int) error {
		err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, name, &tv)
		if err == nil {
			timeout.Store(int64(d))
		}
		return err
	})
}

// milliseconds is a time-out as an option, rounded up so that one of less than a millisecond is not none.
func (s *Socket) milliseconds(d time.Duration) (int, error) {
	if s.closing.Load() {
		return 0, opError("getsockopt", ErrClosed)
	}
	return int(min(roundUp(d, time.Millisecond), math.MaxInt32)), nil
}
