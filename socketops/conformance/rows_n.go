//go:build linux

package conformance

import "slices"

// nestedRows are the nested behaviours of part A.
func nestedRows() []Row {
	return slices.Concat(callRows(), stateRows())
}
