package aio

import (
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioSetup wraps io_setup(2). The context is the address of the completion ring.
func ioSetup(requests int) (ctx uintptr, err unix.Errno) {
	// SAFETY: the kernel writes the context to ctx during the call.
	_, _, err = unix.Syscall(unix.SYS_IO_SETUP, uintptr(requests), uintptr(unsafe.Pointer(&ctx)), 0)
	return ctx, err
}

// ioDestroy wraps io_destroy(2).
func ioDestroy(ctx uintptr) unix.Errno {
	_, _, err := unix.Syscall(unix.SYS_IO_DESTROY, ctx, 0, 0)
	return err
}

// ioSubmit wraps io_submit(2). It may block, as writing to a file may, so the runtime has to know of the call.
func ioSubmit(ctx uintptr, table []uintptr) (int, unix.Errno) {
	// SAFETY: the table is in mapped memory, and the IOCBs that it names are.
	n, _, err := unix.Syscall(unix.SYS_IO_SUBMIT, ctx, uintptr(len(table)), uintptr(unsafe.Pointer(&table[0])))
	return int(n), err
}

// ioSubmitBriefly is ioSubmit for requests that are known to be done in a moment: the runtime is not told, and so does
// not take the processor away and wake other threads for it.
func ioSubmitBriefly(ctx uintptr, table []uintptr) (int, unix.Errno) {
	// SAFETY: as in ioSubmit.
	n, _, err := unix.RawSyscall(unix.SYS_IO_SUBMIT, ctx, uintptr(len(table)), uintptr(unsafe.Pointer(&table[0])))
	return int(n), err
}

// ioCancel wraps io_cancel(2). The kernel writes no event: what it cancels completes through the ring.
func ioCancel(ctx uintptr, cb *rawIOCB, event *rawEvent) unix.Errno {
	// SAFETY: both are in mapped memory.
	_, _, err := unix.Syscall(unix.SYS_IO_CANCEL, ctx, uintptr(unsafe.Pointer(cb)), uintptr(unsafe.Pointer(event)))
	return err
}

// waitMemory is what a wait in the kernel names by address. It is in mapped memory, so that no wait allocates.
type waitMemory struct {
	until  kernelTime
	mask   [2 * sigsetSize / unsafe.Sizeof(uintptr(0))]uintptr // a kernel_sigset_t: words of the processor's size
	sigset struct {
		mask uintptr
		size uintptr
	}
	events [eventsAtOnce]rawEvent
}

// kernelTime mirrors struct __kernel_timespec, whose fields have 64 bits on every processor.
type kernelTime struct{ sec, nsec int64 }

func kernelTimeOf(d time.Duration) kernelTime {
	return kernelTime{int64(d / time.Second), int64(d % time.Second)}
}

// sigsetSize is sizeof(kernel_sigset_t) in bytes.
const sigsetSize = 8

// block sets the signals that the wait shall not be interrupted by.
func (w *waitMemory) block(signals []unix.Signal) {
	const bits = unix.Signal(8 * unsafe.Sizeof(w.mask[0]))
	clear(w.mask[:])
	for _, s := range signals {
		w.mask[(s-1)/bits] |= 1 << ((s - 1) % bits)
	}
	w.sigset.mask = uintptr(unsafe.Pointer(&w.mask)) // SAFETY: mapped memory, which the kernel reads during a call.
	w.sigset.size = sigsetSize
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		w.sigset.size = 2 * sigsetSize
	}
}

// ioGeteventsBriefly is io_getevents(2) for a wait so short that the runtime need not be told: it keeps the processor
// and wakes no other threads for it.
func ioGeteventsBriefly(ctx uintptr, min, nr int, w *waitMemory, timeout time.Duration) (int, unix.Errno) {
	w.until = kernelTimeOf(timeout)
	// SAFETY: all of it is in mapped memory, which the caller keeps until the call returns.
	n, _, err := unix.RawSyscall6(sysGetevents, ctx, uintptr(min), uintptr(nr),
		uintptr(unsafe.Pointer(&w.events)), uintptr(unsafe.Pointer(&w.until)), 0)
	return int(n), err
}

// ioGetevents wraps io_getevents(2), and io_pgetevents(2) where masked. A negative timeout waits for ever.
func ioGetevents(ctx uintptr, min, nr int, w *waitMemory, timeout time.Duration, masked bool) (int, unix.Errno) {
	// SAFETY: all of it is in mapped memory, which the caller keeps until the call returns.
	until, events, sigset := unsafe.Pointer(&w.until), unsafe.Pointer(&w.events), unsafe.Pointer(&w.sigset)
	if timeout < 0 {
		until = nil
	}
	w.until = kernelTimeOf(timeout)
	trap, mask := uintptr(sysGetevents), uintptr(0)
	if masked {
		trap, mask = sysPgetevents, uintptr(sigset)
	}
	n, _, err := unix.Syscall6(trap, ctx, uintptr(min), uintptr(nr), uintptr(events), uintptr(until), mask)
	return int(n), err
}

// mapped reports whether there is memory at a page's address. Advice that changes nothing tells.
func mapped(page uintptr) bool {
	_, _, err := unix.Syscall(unix.SYS_MADVISE, page, 1, unix.MADV_NORMAL)
	return err == 0
}

// keepFromChildren has fork(2) leave memory out of the child: its head of the ring would be the parent's.
func keepFromChildren(page, n uintptr) {
	// Kernels that refuse leave the child with what it must not use, no more.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, page, n, unix.MADV_DONTFORK)
}

// newEventfd returns an eventfd that the runtime's poller waits for.
func newEventfd() (*os.File, int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, -1, os.NewSyscallError("eventfd2", err)
	}
	return os.NewFile(uintptr(fd), "aio completions"), fd, nil
}
