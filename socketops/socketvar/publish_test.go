//go:build linux

package socketvar

import (
	"encoding/json"
	"expvar"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

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

var names atomic.Int32

// newName returns a name that is not taken, though a test be run again.
func newName(t *testing.T) string { return fmt.Sprint(t.Name(), names.Add(1)) }

func engine(t *testing.T) *socketops.Engine {
	t.Helper()
	e, err := socketops.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestPublishedFiguresAreShown(t *testing.T) {
	e, name := engine(t), newName(t)
	require.NoError(t, Publish(name, e))
	a, b, err := e.SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	defer runtime.KeepAlive([]*socketops.Socket{a, b}) // What is forgotten is closed.
	_, err = a.Send(t.Context(), make([]byte, 5), 0)
	require.NoError(t, err)
	server := httptest.NewServer(expvar.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &all))
	var shown variable
	require.NoError(t, json.Unmarshal(all[name], &shown))
	require.Equal(t, e.Backend(), shown.Backend)
	require.Equal(t, e.Stats().Sent, shown.Sent)
	require.Equal(t, uint64(5), shown.Sent.Bytes)
	require.Equal(t, 2, shown.SocketsOpen)
}

func TestNameThatIsTakenIsAnError(t *testing.T) {
	e, name := engine(t), newName(t)
	require.ErrorContains(t, Publish("memstats", e), `"memstats"`)
	var published atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			if Publish(name, e) == nil {
				published.Add(1)
			}
		}()
	}
	all.Wait()
	require.Equal(t, int32(1), published.Load())
}
