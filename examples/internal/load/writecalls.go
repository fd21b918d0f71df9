//go:build linux

package load

import (
	"bytes"
	"os"
	"strconv"
)

// writeCalls counts the write system calls of this process by the kernel's own account, the line "syscw"
// of /proc/self/io (proc_pid_io(5)): package net does not say how often it called writev(2). What Go's
// scheduler calls for its own sake, epoll_pwait(2) and futex(2), is not in it, so it is a lower bound;
// strace -f -c on a sender shows the rest. It is 0 on kernels without CONFIG_TASK_IO_ACCOUNTING.
func writeCalls() uint64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(text, []byte("\nsyscw: "))
	digits, _, _ := bytes.Cut(after, []byte("\n"))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
