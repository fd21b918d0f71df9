//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

func TestEveryEntryPointHasAnExample(t *testing.T) {
	testutil.InSource(t)
	require.Greater(t, testutil.RequireExamples(t), 50)
}
