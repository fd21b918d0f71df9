//go:build linux

package socketops

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// What an idle socket may cost beyond what the kernel has for it, and how many goroutines an Engine may have however
// many sockets wait: those of the engine, and callbacks that are about to return.
const (
	idleBytesMax      = 4096
	idleGoroutinesMax = 4
)

// TestIdleSocketsAreCheap opens many sockets of which few are active. Those that are not wait for a receive, or for
// nothing. -v shows the figures of docs/socketops.md.
func TestIdleSocketsAreCheap(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "the detector has memory of its own for each object")
	}
	if cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "the sanitizer has memory of its own for each object")
	}
	sockets := 10_000
	if testing.Short() {
		sockets = 500
	}
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)) // which the runtime has raised as far as it goes
	for limit.Cur < uint64(sockets)+200 {
		if sockets /= 2; sockets < 500 {
			testutil.Skip(t, testutil.NeedsFiles, "RLIMIT_NOFILE is %d", limit.Cur)
		}
	}
	active := sockets / 10
	t.Run("descriptors alone", func(t *testing.T) {
		before := memoryNow(t)
		fds := make([]int, 0, sockets)
		for len(fds) < sockets {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			fds = append(fds, pair[0], pair[1])
		}
		memoryNow(t).log(t, before, sockets)
		for _, fd := range fds {
			require.NoError(t, unix.Close(fd))
		}
	})
	for _, b := range tested(t) {
		t.Run(string(b.name)+", receives wait", func(t *testing.T) { idleSockets(t, b.name, sockets, active, true) })
		t.Run(string(b.name)+", nothing waits", func(t *testing.T) { idleSockets(t, b.name, sockets, active, false) })
	}
}

// idleSockets opens sockets of a new Engine, has a receive wait on each where receive is set, and the first of them
// active, and then measures.
func idleSockets(t *testing.T, b Backend, sockets, active int, receive bool) {
	testutil.Timeout(t, hangLimit)
	all := make([]*Socket, 0, sockets)
	buffers := make([]byte, sockets)
	before := memoryNow(t)
	e, err := New(WithBackend(b))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	var over sync.WaitGroup
	for len(all) < sockets {
		a, b, err := e.SocketPair(unix.SOCK_STREAM)
		require.NoError(t, err)
		all = append(all, a, b)
	}
	for i := active; receive && i < sockets; i++ {
		over.Add(1)
		all[i].GoRecv(buffers[i:i+1], 0, func(int, error) { over.Done() })
	}
	for range 20 {
		exchange(t, all[:active], buffers)
	}
	now := memoryNow(t)
	runtime.KeepAlive(all)
	now.log(t, before, sockets)
	require.LessOrEqual(t, now.heap-before.heap, idleBytesMax*sockets)
	require.LessOrEqual(t, now.goroutines-before.goroutines, idleGoroutinesMax)
	require.NoError(t, e.Close())
	over.Wait()
}

// exchange has each of the sockets send a byte to its peer.
func exchange(t *testing.T, sockets []*Socket, buffers []byte) {
	t.Helper()
	told, results := outcomes(2 * len(sockets))
	for i, s := range sockets {
		s.GoRecv(buffers[i:i+1], 0, told)
	}
	for _, s := range sockets {
		s.GoSend([]byte{1}, 0, told)
	}
	for range 2 * len(sockets) {
		require.Equal(t, outcome{1, nil}, <-results)
	}
}

// memory is what the process has.
type memory struct {
	heap       int // bytes of live objects, and of stacks
	resident   int // bytes, shared ones in part
	goroutines int
}

// memoryNow measures, without what the collector can take back.
func memoryNow(t *testing.T) memory {
	t.Helper()
	runtime.GC() // which moves what pools keep to where the next finds it
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now := memory{heap: int(m.HeapAlloc + m.StackInuse), goroutines: runtime.NumGoroutine()}
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return now // Linux 4.14, and not everywhere
	}
	for _, line := range strings.Split(string(rollup), "\n") {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			require.NoError(t, err)
			now.resident = kib << 10
		}
	}
	return now
}

// log prints what has been added for each socket.
func (m memory) log(t *testing.T, before memory, sockets int) {
	t.Helper()
	t.Logf("for each of %d sockets: %d bytes of heap and stacks, %d bytes resident; %d goroutines in all", sockets,
		(m.heap-before.heap)/sockets, (m.resident-before.resident)/sockets, m.goroutines-before.goroutines)
}
