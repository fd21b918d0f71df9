//go:build linux && (386 || arm || mips || mipsle)

package aio

import "golang.org/x/sys/unix"

// The system call that waits for events, by a time of 64 bits (since 5.1). Of io_getevents(2) there is none with such a
// time, and a kernel may be built without those of 32 bits. With no mask of signals io_pgetevents(2) is the same.
const (
	sysGetevents  = unix.SYS_IO_PGETEVENTS_TIME64
	sysPgetevents = unix.SYS_IO_PGETEVENTS_TIME64
)
