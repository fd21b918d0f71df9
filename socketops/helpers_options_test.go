//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// engine makes an Engine that is closed when the test ends.
func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}
