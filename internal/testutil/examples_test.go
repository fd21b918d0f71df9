package testutil

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExampleSkipped(t *testing.T) {
	output := "testutil: skipped: ExampleA: bundle: not here\n" +
		"testutil: skipped: ExampleB_*: io_uring: no\n=== RUN   TestA\n"
	require.Equal(t, "bundle: not here", ExampleSkipped(output, "ExampleA"))
	require.Equal(t, "io_uring: no", ExampleSkipped(output, "ExampleB_x"))
	require.Empty(t, ExampleSkipped(output, "ExampleAB"))
	require.Empty(t, ExampleSkipped(output, "ExampleB"))
}
