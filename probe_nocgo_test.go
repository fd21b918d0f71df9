//go:build linux && !cgo

package uring_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
)

// TestProbedWithoutCgo finds out about the kernel, and that this build cannot use it.
func TestProbedWithoutCgo(t *testing.T) {
	caps, err := uring.Probe()
	require.NoError(t, err)
	f, ok := caps.Feature(uring.CanSetup)
	require.True(t, ok)
	require.True(t, f.Conclusive())

	err = caps.Require(uring.CanCgo)
	require.ErrorIs(t, err, uring.ErrUnsupported)
	require.ErrorContains(t, err, "this binary was built without cgo (needs a build with CGO_ENABLED=1 and liburing 2.3")
	require.ErrorIs(t, caps.Require(uring.CanLiburing), uring.ErrUnsupported)
	require.False(t, caps.Process().Cgo)

	engine, refusals := caps.Engine()
	require.NotContains(t, []uring.Engine{uring.EngineURingBundle, uring.EngineURing}, engine)
	require.NotEmpty(t, refusals)
	// The kernel may refuse io_uring as well, and is named first then.
	require.ErrorContains(t, errors.Join(refusals[0].Reasons...), "without cgo")
}
