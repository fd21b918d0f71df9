package goroutine_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/goroutine"
)

func TestSelfTellsGoroutinesApart(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self := goroutine.Self()
	require.NotZero(t, self)
	others, hold := make(chan uintptr), make(chan struct{})
	seen := map[uintptr]bool{self: true}
	for range 100 {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			others <- goroutine.Self()
			<-hold
		}()
		other := <-others
		require.False(t, seen[other], "two goroutines are the same")
		seen[other] = true
	}
	close(hold)
	runtime.Gosched()
	require.Equal(t, self, goroutine.Self())
}

func BenchmarkSelf(b *testing.B) {
	for b.Loop() {
		goroutine.Self()
	}
}
