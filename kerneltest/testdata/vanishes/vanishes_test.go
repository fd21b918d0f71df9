//go:build linux

// Package vanishes has a test that turns the power off.
package vanishes

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestVanishes(t *testing.T) {
	if os.Getenv("KERNELTEST") == "" {
		t.Skip("guest: it turns the power off")
	}
	t.Fatal(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}
