//go:build linux

package conformance

import "slices"

// memberRows are part A: the members of the platform layer.
func memberRows() []Row {
	return slices.Concat(primitiveRows(), transferRows(), optionRows())
}
