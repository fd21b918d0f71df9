//go:build linux

package conformance

// nestedRows are the nested behaviours of part A.
func nestedRows() []Row {
	return []Row{}
}
