//go:build race && linux

package aio

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// TestRaceDetectorSeesTheKernel touches a buffer that the kernel has. Without the package's announcements the detector
// would see nothing (FACTS 26).
func TestRaceDetectorSeesTheKernel(t *testing.T) {
	for _, tt := range []struct {
		name string
		race bool
		op   opcode
		use  func(b []byte)
	}{
		{"writing what the kernel writes", true, opPread, func(b []byte) { b[7]++ }},
		{"writing what the kernel reads", true, opPwrite, func(b []byte) { b[7]++ }},
		{"reading what the kernel reads", false, opPwrite, func(b []byte) { _ = append([]byte(nil), b...) }},
		{"leaving it alone", false, opPread, func([]byte) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testutil.InChild() {
				useInFlight(t, tt.op, tt.use)
				return
			}
			child := testutil.ReExec(t, t.Name(), "GORACE=exitcode=66 halt_on_error=1 atexit_sleep_ms=0")
			if !tt.race {
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			require.Equal(t, 66, child.ExitCode, child.Output)
			require.Contains(t, child.Output, "WARNING: DATA RACE")
		})
	}
}

// useInFlight uses the buffer of a request that another goroutine has submitted, with nothing that orders the two.
func useInFlight(t *testing.T, op opcode, use func([]byte)) {
	c, f := newContext(t, 1), newFile(t)
	b := make([]byte, 64)
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		transfer(t, c, op, int(f.Fd()), b, 0)
	}()
	go func() {
		defer both.Done()
		use(b)
	}()
	both.Wait()
}
