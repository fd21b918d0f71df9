package testutil

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RefuseSyscalls makes the system calls with the given numbers fail with errno from now on, in every
// thread of this process and in its children, as a container's seccomp profile does. It wraps seccomp(2)
// and needs no privilege. A filter cannot be removed, so the test must run in a child (see ReExec). Of
// several filters that refuse the same call, the latest gives the errno.
func RefuseSyscalls(t testing.TB, errno unix.Errno, numbers ...uintptr) {
	t.Helper()
	if !InChild() {
		t.Fatal("testutil: a system-call filter stays for the life of the process: install it in a ReExec child")
	}
	if err := installRefusal(errno, numbers); err != nil {
		t.Fatal(err)
	}
}

// installRefusal is what RefuseSyscalls does once the process is known to be one that may.
func installRefusal(errno unix.Errno, numbers []uintptr) error {
	// PR_SET_NO_NEW_PRIVS is a property of the thread; SECCOMP_FILTER_FLAG_TSYNC carries it to the others
	// together with the filter.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("testutil: prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	filter := refusal(errno, numbers)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// SAFETY: the address is taken in the argument list, so program, and filter through it, stay in place
	// until the call returns. The kernel copies both.
	thread, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return fmt.Errorf("testutil: seccomp(SECCOMP_SET_MODE_FILTER): %w", failed)
	}
	if thread != 0 {
		return fmt.Errorf("testutil: seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}

// refusal returns the BPF program that answers errno to the given system calls and allows all others. It
// does not look at the architecture: it serves tests whose calls are all native, and guards nothing.
func refusal(errno unix.Errno, numbers []uintptr) []unix.SockFilter {
	const numberOffset = 0 // of nr in struct seccomp_data
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberOffset}}
	for _, number := range numbers {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(number), Jt: 0, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)})
	}
	return append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
}
