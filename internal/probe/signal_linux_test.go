package probe

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestVerdictsSurviveASignalStorm sends the probing thread SIGURG, with which the Go runtime preempts, in bursts that
// leave no call in peace: one that a signal ended has said nothing about a feature. A slow machine may leave some open,
// as their time was over, but none because of a signal.
func TestVerdictsSurviveASignalStorm(t *testing.T) {
	calm := run(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func(pid, tid int) {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
				for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
					_ = unix.Tgkill(pid, tid, unix.SIGURG)
				}
			}
		}
	}(unix.Getpid(), unix.Gettid())
	defer func() {
		close(quit)
		<-ended
	}()
	for range testutil.Fewer(20, 1) {
		for name, r := range run(t) {
			require.NotErrorIs(t, r.Err, unix.EINTR, name)
			var was, is *Refusal
			if refused := errors.As(r.Err, &is); refused || r.Err == nil { // and not left open for want of time
				require.Equal(t, errors.As(calm[name].Err, &was), refused, "%s: %v", name, r.Err)
			}
		}
	}
}
