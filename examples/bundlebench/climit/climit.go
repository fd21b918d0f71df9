//go:build linux && cgo

package climit

/*
#cgo LDFLAGS: -luring
#cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra
#include "limit.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Run sends batches over fds, connected stream sockets, until args.Dur is over. mem holds the messages
// connection by connection, args.Stride bytes apart; it is borrowed until Run returns. Kernels without send
// bundles (before 6.10) and processes that may not use io_uring give an error that is
// errors.ErrUnsupported.
func Run(fds []int32, mem []byte, args Args) (Result, error) {
	if err := args.check(len(fds), len(mem)); err != nil {
		return Result{}, err
	}
	cargs := C.struct_climit_args{
		conns:     C.uint32_t(args.Conns),
		msgs:      C.uint32_t(args.Msgs),
		size:      C.uint32_t(args.Size),
		stride:    C.uint32_t(args.Stride),
		warmup_ns: C.uint64_t(args.Warmup),
		dur_ns:    C.uint64_t(args.Dur),
	}
	if args.Stamp {
		cargs.stamp = 1
	}
	var cres C.struct_climit_result

	// The ring belongs to the thread that opened it; the call stays on one thread by itself, and its
	// registered ring fd must not meet another goroutine's cgo call.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// SAFETY: both pointers are arguments of the call, so cgo keeps what they point to alive and in place
	// until it returns, and climit_run has ended every request by then. int32 is C's int on Linux. Neither
	// slice holds pointers; check made sure that both are as long as args says.
	ret := C.climit_run((*C.int)(unsafe.Pointer(&fds[0])), (*C.uint8_t)(unsafe.Pointer(&mem[0])), &cargs, &cres)
	if ret < 0 {
		return Result{}, runError(C.GoString(cres.step), unix.Errno(-ret))
	}
	return Result{
		WarmPasses: uint64(cres.warm_passes),
		Passes:     uint64(cres.passes),
		Elapsed:    time.Duration(cres.elapsed_ns),
		CPU:        time.Duration(cres.cpu_ns),
		Enters:     uint64(cres.enters),
		Resumed:    uint64(cres.resumed),
		SetupFlags: uint32(cres.setup_flags),
	}, nil
}

// runError says which step failed, and marks as unsupported what another kernel or another sandbox would
// grant.
func runError(step string, errno unix.Errno) error {
	err := os.NewSyscallError(step, errno)
	switch {
	case step == "io_uring_setup" && (errno == unix.EPERM || errno == unix.ENOSYS):
		return fmt.Errorf("climit: %w", &uring.UnsupportedError{
			Name: step, Missing: "kernel.io_uring_disabled or a seccomp filter refuses it", Err: err,
		})
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("climit: %w", &uring.UnsupportedError{
			Name: uring.CanSendBundle, Missing: step, SinceMajor: 6, SinceMinor: 10, Err: err,
		})
	}
	return fmt.Errorf("climit: %w", err)
}

// Identity returns x by way of C, to time the call itself.
func Identity(x uint32) uint32 {
	return uint32(C.climit_identity(C.uint32_t(x)))
}
