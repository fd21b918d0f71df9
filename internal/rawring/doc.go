// Package rawring speaks to io_uring with system calls alone, without liburing and without cgo. It is for finding out
// what a kernel can do, where a library that is missing or too old must not colour the answer. It makes plain rings
// only (64-byte SQEs, 16-byte CQEs), allocates as it likes and bounds every wait; it is no substitute for a Ring.
package rawring
