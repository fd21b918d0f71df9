//go:build linux

package conformance

// stateRows are N33 to N60: files, replaced descriptors, states after errors, closing, and addresses.
func stateRows() []Row {
	return []Row{}
}
