//go:build !linux

package testutil

// refuseAsTold does nothing: there is neither io_uring nor seccomp to refuse it.
func refuseAsTold() error { return nil }
