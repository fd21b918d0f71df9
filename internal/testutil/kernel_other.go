//go:build !linux

package testutil

// KernelVersion returns 0, 0: the running kernel is not Linux.
func KernelVersion() (major, minor int) { return 0, 0 }
