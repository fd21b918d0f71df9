//go:build linux

package conformance

// callRows are N01 to N32: how system calls are made, and what they make of their arguments.
func callRows() []Row {
	return []Row{}
}
