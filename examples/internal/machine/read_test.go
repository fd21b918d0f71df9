//go:build linux

package machine_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/machine"
)

func TestFactsNameNoMachine(t *testing.T) {
	f := machine.Read()
	require.Regexp(t, `^\d+\.\d+`, f.Kernel)
	require.Regexp(t, `^(\d+\.\d+)?$`, f.Liburing)
	require.Positive(t, f.CPUs)
	require.NotEmpty(t, f.Go)
	require.Less(t, f.EmptyCall, time.Millisecond)

	host, err := os.Hostname()
	require.NoError(t, err)
	for _, s := range []string{f.Kernel, f.Liburing, f.Go, f.CPUModel} {
		require.NotEqual(t, host, s)
	}
}
