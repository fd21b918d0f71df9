package testutil

import (
	"os"
	"strings"
)

// IOURingDisabled returns kernel.io_uring_disabled: "0", "1" or "2", or "" where the kernel does not have it.
func IOURingDisabled() string {
	value, _ := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	return strings.TrimSpace(string(value))
}
