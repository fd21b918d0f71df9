//go:build !linux

package aio

import (
	"os"
	"time"

	"github.com/sockring/uring/internal/unix"
)

// There is no Linux AIO here: ioSetup says so, and nothing else is called without a context.

func ioSetup(int) (uintptr, unix.Errno) { return 0, unix.ENOSYS }

func ioDestroy(uintptr) unix.Errno { return unix.ENOSYS }

func ioSubmit(uintptr, []uintptr) (int, unix.Errno) { return 0, unix.ENOSYS }

func ioSubmitBriefly(uintptr, []uintptr) (int, unix.Errno) { return 0, unix.ENOSYS }

func ioCancel(uintptr, *rawIOCB, *rawEvent) unix.Errno { return unix.ENOSYS }

type waitMemory struct{ events [eventsAtOnce]rawEvent }

func (*waitMemory) block([]unix.Signal) {}

func ioGetevents(uintptr, int, int, *waitMemory, time.Duration, bool) (int, unix.Errno) {
	return 0, unix.ENOSYS
}

func ioGeteventsBriefly(uintptr, int, int, *waitMemory, time.Duration) (int, unix.Errno) {
	return 0, unix.ENOSYS
}

func mapped(uintptr) bool { return false }

func keepFromChildren(uintptr, uintptr) {}

func newEventfd() (*os.File, int, error) { return nil, -1, unix.ENOSYS }
