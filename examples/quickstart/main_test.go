//go:build linux

package main

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

func TestQuickstartSendsAllWithOneSystemCall(t *testing.T) {
	ring, err := uring.New(1)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.NoError(t, ring.Close())

	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = write
	main()
	os.Stdout = stdout
	require.NoError(t, write.Close())

	printed, err := io.ReadAll(read)
	require.NoError(t, err)
	require.Equal(t, "Hello, peer 0, all in one send.\n"+
		"Hello, peer 1, all in one send.\n"+
		"Hello, peer 2, all in one send.\n"+
		"system calls: 1\n", string(printed))
}
