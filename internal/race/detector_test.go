//go:build race && linux

package race_test

//kerneltest:on it has nothing to do with io_uring

import (
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// TestDetectorSeesWhatIsAnnounced lets the kernel touch a buffer that another goroutine uses at the same
// time. Each row runs in a child process, because a race report fails the process it happens in. The
// silent rows prove that it is the announcement, and nothing else, that fires the detector (FACTS.md 26).
func TestDetectorSeesWhatIsAnnounced(t *testing.T) {
	heap := make([]byte, 64)
	p := unsafe.Pointer(&heap[0]) // SAFETY: used within the slice, which the closures below keep alive.
	use := func() { heap[7]++ }
	written := func() { kernelWrites(t, heap); race.WriteRange(p, len(heap)) }
	read := func() { kernelReads(t, heap); race.ReadRange(p, len(heap)) }

	tests := []struct {
		name string
		race bool
		run  func()
	}{
		{"kernel write, not announced", false, func() { inParallel(func() { kernelWrites(t, heap) }, use) }},
		{"kernel write, announced", true, func() { inParallel(written, use) }},
		{"kernel write, announced and ordered", false, func() { inOrder(t, p, written, use) }},
		{"kernel read, not announced", false, func() { inParallel(func() { kernelReads(t, heap) }, use) }},
		{"kernel read, announced", true, func() { inParallel(read, use) }},
		{"kernel read, announced and ordered", false, func() { inOrder(t, p, read, use) }},
		{"memory outside the Go heap", false, func() { announceMapping(t) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if testutil.InChild() {
				tt.run()
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

// announceMapping makes every announcement about memory that the detector does not watch.
func announceMapping(t *testing.T) {
	mapped, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	p := unsafe.Pointer(&mapped[0]) // SAFETY: the mapping outlives both goroutines.
	inParallel(
		func() { race.WriteRange(p, len(mapped)); race.Release(p) },
		func() { race.Acquire(p); race.ReadRange(p, len(mapped)) },
	)
	require.NoError(t, unix.Munmap(mapped))
}

// inParallel runs a and b in two goroutines with nothing that orders one before the other.
func inParallel(a, b func()) {
	var wg sync.WaitGroup
	for _, f := range []func(){a, b} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f()
		}()
	}
	wg.Wait()
}

// inOrder runs a, then b in another goroutine, ordered for the detector by Release and Acquire on p
// alone: the byte that passes through the pipe is moved by raw system calls, which the detector cannot see.
func inOrder(t *testing.T, p unsafe.Pointer, a, b func()) {
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	inParallel(
		func() {
			a()
			race.Release(p)
			rawWrite(pipe[1], []byte{1})
		},
		func() {
			rawRead(pipe[0], make([]byte, 1))
			race.Acquire(p)
			b()
		},
	)
}

// kernelWrites lets the kernel fill p from /dev/zero, unseen by the detector.
func kernelWrites(t *testing.T, p []byte) {
	fd, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.Equal(t, len(p), rawRead(fd, p))
}

// kernelReads lets the kernel read p, unseen by the detector.
func kernelReads(t *testing.T, p []byte) {
	fd, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.Equal(t, len(p), rawWrite(fd, p))
}

// rawRead is read(2) without the announcement that syscall.Read makes. It returns -1 on an error.
func rawRead(fd int, p []byte) int {
	// SAFETY: the address is taken in the argument list of the call, so p stays where it is until it returns.
	n, _, _ := syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n)
}

// rawWrite is write(2) without the announcement that syscall.Write makes. It returns -1 on an error.
func rawWrite(fd int, p []byte) int {
	// SAFETY: as in rawRead.
	n, _, _ := syscall.Syscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n)
}
