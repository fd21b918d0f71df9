package uring

import "golang.org/x/sys/unix"

// gettid wraps gettid(2).
func gettid() int { return unix.Gettid() }

// interrupt makes a kernel wait of the thread end with EINTR. SIGURG is the signal with which the Go runtime
// itself preempts threads, and which it takes for that.
func interrupt(tid int) error { return unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) }
