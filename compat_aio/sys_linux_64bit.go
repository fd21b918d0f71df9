//go:build linux && !(386 || arm || mips || mipsle)

package aio

import "golang.org/x/sys/unix"

// The system calls that wait for events.
const (
	sysGetevents  = unix.SYS_IO_GETEVENTS
	sysPgetevents = unix.SYS_IO_PGETEVENTS
)
