package testutil

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"
)

// Timeout ends the whole test process with status 2 and the stacks of all goroutines when the test has not
// ended d after the call. It is a limit on hanging, so be generous with d; nothing gentler would do,
// because a goroutine that waits in the kernel cannot be made to fail.
func Timeout(t testing.TB, d time.Duration) {
	t.Helper()
	name := t.Name()
	timer := time.AfterFunc(d, func() {
		fmt.Fprintf(os.Stderr, "testutil: %s still runs after %v\n", name, d)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		os.Exit(2)
	})
	t.Cleanup(func() { timer.Stop() })
}
