//go:build linux

package conformance

// optionRows are A59 to A88: options, waiting, shutting down, and what remains.
func optionRows() []Row {
	return []Row{}
}
