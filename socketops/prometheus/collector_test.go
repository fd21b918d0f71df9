//go:build linux

package prometheus

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promtest "github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

func TestMain(m *testing.M) { testutil.Main(m) }

func TestEveryEntryPointHasAnExample(t *testing.T) {
	testutil.InSource(t)
	require.Equal(t, 1, testutil.RequireExamples(t))
}

// engine returns an engine that has sent n bytes through a pair of sockets, one of which is closed.
func engine(t *testing.T, n int) *socketops.Engine {
	t.Helper()
	e, err := socketops.New(socketops.WithBackend(socketops.BackendSyscall))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	a, b, err := e.SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) }) // one that nobody holds would be closed by the collector
	_, err = a.Send(t.Context(), make([]byte, n), 0)
	require.NoError(t, err)
	_, err = b.Recv(t.Context(), make([]byte, n), 0)
	require.NoError(t, err)
	_, err = b.TryRecv(make([]byte, n), 0)
	require.ErrorIs(t, err, socketops.ErrWouldBlock)
	require.NoError(t, a.Close())
	return e
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	problems, err := promtest.CollectAndLint(NewCollector(map[string]*socketops.Engine{"main": engine(t, 1)}, nil))
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestEveryFigureIsCollected(t *testing.T) {
	e := engine(t, 5)
	c := NewCollector(map[string]*socketops.Engine{"one": e, "two": engine(t, 7)}, client.Labels{"zone": "here"})
	require.Equal(t, 2*(1+len(engineMetrics)+2*len(directionMetrics)), promtest.CollectAndCount(c))
	require.NoError(t, promtest.CollectAndCompare(c, strings.NewReader(`
# HELP sockring_operations_total Operations that are over, whatever came of them.
# TYPE sockring_operations_total counter
sockring_operations_total{direction="received",engine="one",zone="here"} 2
sockring_operations_total{direction="received",engine="two",zone="here"} 2
sockring_operations_total{direction="sent",engine="one",zone="here"} 1
sockring_operations_total{direction="sent",engine="two",zone="here"} 1
# HELP sockring_open_sockets Sockets that are open.
# TYPE sockring_open_sockets gauge
sockring_open_sockets{engine="one",zone="here"} 1
sockring_open_sockets{engine="two",zone="here"} 1
# HELP sockring_sent_bytes_total Bytes of payload that the kernel has taken.
# TYPE sockring_sent_bytes_total counter
sockring_sent_bytes_total{engine="one",zone="here"} 5
sockring_sent_bytes_total{engine="two",zone="here"} 7
`), "sockring_operations_total", "sockring_open_sockets", "sockring_sent_bytes_total"))
}

// TestFiguresAreApart holds that each metric shows a figure of its own.
func TestFiguresAreApart(t *testing.T) {
	s := socketops.EngineStats{
		Received: socketops.DirectionStats{Bytes: 1}, Sent: socketops.DirectionStats{Bytes: 2},
		SocketsOpen: 3, SocketsTotal: 4, Submits: 5, Requests: 6, Completions: 7, WakeUps: 8,
		Bundles: 9, BundleMessages: 10, Batches: 11, BatchOperations: 12,
	}
	seen := map[float64]string{}
	for _, m := range engineMetrics {
		require.NotContains(t, seen, m.value(&s), m.name)
		seen[m.value(&s)] = m.name
	}
	require.Len(t, seen, 12)
	d := socketops.DirectionStats{
		Operations: 1, Inline: 2, WouldBlock: 3, Canceled: 4, TimedOut: 5, Errors: 6, Short: 7, Queued: 8, QueuedMax: 9,
	}
	seen = map[float64]string{}
	for _, m := range directionMetrics {
		require.NotContains(t, seen, m.value(&d), m.name)
		seen[m.value(&d)] = m.name
	}
	require.Len(t, seen, 9)
}

func TestScrapeOverHTTP(t *testing.T) {
	registry := client.NewPedanticRegistry()
	require.NoError(t, registry.Register(NewCollector(map[string]*socketops.Engine{"main": engine(t, 1000)}, nil)))
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	for range 2 { // twice, as a counter that is not one would show
		response, err := server.Client().Get(server.URL)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
		for _, line := range []string{
			`sockring_received_bytes_total{engine="main"} 1000`,
			`sockring_inline_operations_total{direction="received",engine="main"} 1`,
			`sockring_would_block_operations_total{direction="received",engine="main"} 1`,
			`sockring_sockets_total{engine="main"} 2`,
			`sockring_engine_info{backend="syscall",engine="main"} 1`,
		} {
			require.Contains(t, string(body), line+"\n")
		}
	}
}
