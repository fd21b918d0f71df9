package errnomatrix

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
	"github.com/sockring/uring/internal/testutil"
)

// SAFETY: in this package pointers become numbers, or arguments of a system call, only for memory of an arena, which
// stays where it is until the row has closed its ring.

const (
	// patience is how long the kernel may take to answer.
	patience = 5 * time.Second

	// rowTimeout is how long a row may take. Two of the inputs ask for a wait of two seconds.
	rowTimeout = 30 * time.Second

	arenaSize = 1 << 20

	// unusedFd is a descriptor that no process of ours reaches.
	unusedFd = 999

	// badAddress is aligned and, like the page that it is in, never mapped.
	badAddress = 8

	// unmappedPage is the address of a page that is never mapped, as vm.mmap_min_addr is larger.
	unmappedPage = 1 << 12
)

// env is what one row works with. It belongs to the row's goroutine, which stays on its thread.
type env struct {
	testing.TB
	mem *rawring.Arena // for what the kernel is given by address
}

func newEnv(t testing.TB) *env {
	mem, err := rawring.NewArena(arenaSize)
	require.NoError(t, err)
	t.Cleanup(mem.Free)
	return &env{t, mem}
}

// require skips the row where a feature that the table takes for granted is refused, such as by missing privilege.
func (e *env) require(features ...string) {
	e.Helper()
	requireFeatures(e, features...)
}

func requireFeatures(t testing.TB, features ...string) {
	t.Helper()
	// The error of the probe may be about any feature; Require tells those of the ones in question.
	capabilities, _ := uring.Probe()
	err := capabilities.Require(features...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
}

// memlockNeeded is an RLIMIT_MEMLOCK that suffices for every row, and for what the kernel has yet to give back of rings
// that are closed.
const memlockNeeded = 8 << 20

// requireMemory skips the row where the answer is about the memory that the process may lock, and fails it where there
// is enough of that.
func (e *env) requireMemory(answer string) {
	e.Helper()
	if !strings.Contains(answer, succeeded(unix.ENOMEM)) {
		return
	}
	var limit unix.Rlimit
	require.NoError(e, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit))
	require.Less(e, limit.Cur, uint64(memlockNeeded), answer)
	testutil.SkipIfUnsupported(e, &uring.UnsupportedError{
		Name:     "a row that locks memory",
		Missing:  fmt.Sprintf("RLIMIT_MEMLOCK is %d bytes", limit.Cur),
		Provider: fmt.Sprintf("%d bytes, or CAP_IPC_LOCK", memlockNeeded),
		Err:      unix.ENOMEM,
	})
}

// prepared holds that a step that only prepares for the row's input succeeded.
func (e *env) prepared(answer string) {
	e.Helper()
	e.requireMemory(answer)
	require.Equal(e, ok, answer)
}

// newRing makes a ring, to be closed after the row.
func (e *env) newRing(entries, flags uint32) (*rawring.Ring, error) {
	e.Helper()
	r, err := rawring.New(entries, flags)
	if err == nil {
		e.Cleanup(func() { require.True(e, r.Close(), "requests in flight") })
	}
	return r, err
}

// ring is newRing for a ring that every kernel makes.
func (e *env) ring(flags uint32) *rawring.Ring {
	e.Helper()
	r, err := e.newRing(entries, flags)
	e.prepared(succeeded(err))
	return r
}

// request answers what a request on a ring of its own completes with.
func (e *env) request(sqe cring.SQE) string {
	e.Helper()
	return e.requestOn(e.ring(0), sqe)
}

// pending is the answer of a request that completes only when it is cancelled.
const pending = "pending"

// requestOn answers what a request completes with: all of its completions.
func (e *env) requestOn(r *rawring.Ring, sqe cring.SQE) string {
	e.Helper()
	id, err := r.Submit(sqe)
	if err != nil {
		return succeeded(err)
	}
	var cqes []cring.CQE
	for more := true; more; {
		c, err := r.Await(id, patience)
		if errors.Is(err, os.ErrDeadlineExceeded) && len(cqes) == 0 {
			return pending
		}
		require.NoError(e, err)
		cqes = append(cqes, c)
		more = c.Flags&cring.CQEFMore != 0
	}
	return completed(cqes)
}

// register answers what io_uring_register(2) returns; arg is nil or from the arena.
func register[T any](r *rawring.Ring, op uint32, arg *T, nr int) string {
	return answered(r.Register(op, unsafe.Pointer(arg), nr))
}

// alloc returns v in memory that does not move.
func alloc[T any](e *env, v T) *T {
	p := rawring.Alloc[T](e.mem)
	*p = v
	return p
}

// array returns the elements one after another in memory that does not move, and the first of them.
func array[T any](e *env, elements ...T) *T {
	var t T
	mem := e.mem.Bytes(len(elements)*int(unsafe.Sizeof(t)), int(unsafe.Alignof(t)))
	first := (*T)(unsafe.Pointer(&mem[0]))
	copy(unsafe.Slice(first, len(elements)), elements)
	return first
}

// page returns the address of an empty page.
func (e *env) page() uint64 {
	size := os.Getpagesize()
	return rawring.Addr(&e.mem.Bytes(size, size)[0])
}

// emptyPipe returns the end of a pipe that a read would wait on.
func (e *env) emptyPipe() int {
	e.Helper()
	reader, _ := testutil.Pipe(e)
	return reader
}

// text is what is there to be read where a row says so.
const text = "abcdefgh"

// filledPipe returns the end of a pipe that has text to read.
func (e *env) filledPipe() int {
	e.Helper()
	reader, writer := testutil.Pipe(e)
	_, err := unix.Write(writer, []byte(text))
	require.NoError(e, err)
	return reader
}

// sockets returns two connected unix sockets.
func (e *env) sockets() (a, b int) {
	e.Helper()
	return testutil.SocketPair(e, "unix")
}

// socket returns a connected unix socket with nothing to read.
func (e *env) socket() int {
	e.Helper()
	a, _ := e.sockets()
	return a
}

// filledSocket returns a connected unix socket that has text to read.
func (e *env) filledSocket() int {
	e.Helper()
	a, b := e.sockets()
	_, err := unix.Write(b, []byte(text))
	require.NoError(e, err)
	return a
}

// orphan returns a unix socket whose peer is closed.
func (e *env) orphan() int {
	e.Helper()
	a, b := e.sockets()
	require.NoError(e, unix.Close(b))
	return a
}

// tcpSocket returns a TCP socket that is neither connected nor bound.
func (e *env) tcpSocket() int {
	e.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(e, err)
	e.Cleanup(func() { unix.Close(fd) })
	return fd
}
