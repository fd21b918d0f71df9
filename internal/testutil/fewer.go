package testutil

import "testing"

// Fewer returns how much of something a test is to do: all of it, or few where tests are to be short, as on kernels
// that are emulated.
func Fewer(all, few int) int {
	if testing.Short() {
		return few
	}
	return all
}
