//go:build linux

package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// hangLimit is how long a row may take, which is to find out whether something hangs.
const hangLimit = time.Minute

// late is what no wait should ever take.
const late = 20 * time.Second

// T is the test of one row on one Engine. Its checks end the test where they fail.
type T struct {
	*testing.T
	Engine *socketops.Engine
	dir    string // for the paths of unix sockets
}

// Run makes a subtest of every row, all on the Engine that open returns, which Run closes.
func Run(t *testing.T, open func(t testing.TB) *socketops.Engine) {
	e := open(t)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	dir := t.TempDir()
	for _, row := range Rows() {
		if row.Test == nil {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			testutil.Timeout(t, hangLimit)
			row.Test(&T{t, e, dir})
		})
	}
}

// Sub makes a subtest on the same Engine.
func (t *T) Sub(name string, test func(t *T)) {
	t.Run(name, func(inner *testing.T) { test(&T{inner, t.Engine, t.dir}) })
}

// Late returns a context that ends when the test has hung.
func (t *T) Late() context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), late)
	t.Cleanup(cancel)
	return ctx
}
