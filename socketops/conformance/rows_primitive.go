//go:build linux

package conformance

// primitiveRows are A01 to A31: what the platform has, sockets, and their non-blocking receives.
func primitiveRows() []Row {
	return []Row{}
}
