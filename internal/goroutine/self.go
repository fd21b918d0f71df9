//go:build amd64 || arm64

package goroutine

// Self returns the identity of the calling goroutine: the address of its descriptor in the runtime, which is
// compared and never followed. No two goroutines have the same at a time. One that has ended may leave its own to a
// later one, so what must be certain is to be asked of the kernel.
func Self() uintptr
