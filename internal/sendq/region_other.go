//go:build !unix

package sendq

// mapRegion returns size zeroed bytes of the Go heap: no engine of such a system keeps addresses of slab
// memory beyond a call.
func mapRegion(size int) ([]byte, error) { return make([]byte, size), nil }

// unmapRegion leaves mem to the garbage collector.
func unmapRegion([]byte) error { return nil }
