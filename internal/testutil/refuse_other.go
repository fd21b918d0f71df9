//go:build !linux

package testutil

// RefuseAsTold does nothing: there is neither io_uring nor seccomp to refuse it.
func RefuseAsTold() error { return nil }
