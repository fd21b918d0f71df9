//go:build linux

package machine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/machine"
)

func TestOwnCPUTimeIsNotThatOfOthers(t *testing.T) {
	before, err := machine.ReadUsage()
	require.NoError(t, err)
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
	}
	after, err := machine.ReadUsage()
	require.NoError(t, err)
	others := after.Others(before)
	require.GreaterOrEqual(t, others, 0.0)
	require.LessOrEqual(t, others, 1.0)
	require.Zero(t, before.Others(before), "no time has passed")
}
