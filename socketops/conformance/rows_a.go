//go:build linux

package conformance

// memberRows are part A: the members of the platform layer.
func memberRows() []Row {
	return []Row{}
}
