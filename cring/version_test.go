//go:build linux && cgo

package cring_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
)

func TestVersionsAreThoseOfTheInstalledLiburing(t *testing.T) {
	out, err := exec.Command("pkg-config", "--modversion", "liburing").Output()
	if err != nil {
		t.Skipf("the binary is tested elsewhere than it was built: pkg-config: %v", err)
	}
	installed := strings.TrimSpace(string(out))
	major, minor := cring.HeaderVersion()
	require.Equal(t, installed, fmt.Sprintf("%d.%d", major, minor))
	major, minor = cring.LibraryVersion()
	require.Equal(t, installed, fmt.Sprintf("%d.%d", major, minor))
}
