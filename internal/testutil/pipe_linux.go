package testutil

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Pipe returns both ends of a pipe, blocking and close-on-exec. They are closed when the test ends.
func Pipe(t testing.TB) (reader, writer int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatalf("testutil: pipe2: %v", err)
	}
	t.Cleanup(func() {
		unix.Close(p[0])
		unix.Close(p[1])
	})
	return p[0], p[1]
}
