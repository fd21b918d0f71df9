//go:build linux && !amd64 && !arm64

package goroutine

import "golang.org/x/sys/unix"

// Self returns the identity of the calling goroutine's thread, which stands for a goroutine that is locked to it.
func Self() uintptr { return uintptr(unix.Gettid()) }
