//go:build linux

package conformance

// transferRows are A32 to A58: non-blocking sends, names, and the forms that wait.
func transferRows() []Row {
	return []Row{}
}
