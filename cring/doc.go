// Package cring is the only cgo of the library, but for the C that only tests use in internal/: a thin shim over
// liburing, 2.3 or newer. It owns what liburing owns (set-up, registration, submission, waiting, tear-down) and hands
// out the shared memory that the kernel and liburing mapped, so that package uring fills SQEs, publishes
// buffers and reads CQEs without a call into C.
//
// Functions return what liburing returns: a count or zero, or a negative errno. Nothing here keeps a Go
// pointer, calls back into Go or sets errno. Where cgo or Linux is missing the same functions exist and
// return -ENOSYS (stub.go), so that everything above compiles everywhere.
package cring
