//go:build linux

package conformance

// transferRows are A01 to A58: what the platform has, sockets, and what they transfer.
func transferRows() []Row {
	return []Row{}
}
