//go:build linux && cgo

package cring_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

func TestVersionsAreThoseOfTheInstalledLiburing(t *testing.T) {
	testutil.InSource(t)
	out, err := exec.Command("pkg-config", "--modversion", "liburing").Output()
	require.NoError(t, err)
	installed := strings.TrimSpace(string(out))
	major, minor := cring.HeaderVersion()
	require.Equal(t, installed, fmt.Sprintf("%d.%d", major, minor))
	major, minor = cring.LibraryVersion()
	require.Equal(t, installed, fmt.Sprintf("%d.%d", major, minor))
}
