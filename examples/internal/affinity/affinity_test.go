//go:build linux

package affinity_test

//kerneltest:on it has nothing to do with io_uring

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/affinity"
	"github.com/sockring/uring/internal/testutil"
)

func TestProcessesStartOnTheCPUAsked(t *testing.T) {
	a, b, err := affinity.Pair()
	if err != nil {
		testutil.Skip(t, testutil.NeedsCPUs, "%v", err)
	}
	require.NotEqual(t, a, b)
	for _, cpu := range []int{a, b} {
		var out bytes.Buffer
		cmd := exec.Command("nproc")
		cmd.Stdout = &out
		require.NoError(t, affinity.Start(cmd, cpu))
		require.NoError(t, cmd.Wait())
		require.Equal(t, "1\n", out.String())
	}
	require.Error(t, affinity.Start(exec.Command("true"), 1023))
}
