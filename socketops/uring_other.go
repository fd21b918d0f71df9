//go:build linux && !cgo

package socketops

func openURing(*meter) (driver, error) {
	return nil, &UnsupportedError{What: "io_uring", Why: "the program was built without cgo, which reaches liburing"}
}
