package uring

import (
	"errors"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// gettid wraps gettid(2).
func gettid() int { return unix.Gettid() }

// wakeSignals make a kernel wait end. SIGURG is the one with which the Go runtime itself preempts threads, and which
// programs expect at any time. The others serve where the program ignores it: nobody is harmed by one too many, and
// where nobody handles them the kernel drops them.
var wakeSignals = [...]syscall.Signal{unix.SIGURG, unix.SIGWINCH, unix.SIGCHLD}

// errDeaf occurs where every signal that would wake a thread is ignored.
var errDeaf = errors.New("uring: SIGURG is ignored")

// interrupt makes a kernel wait of the thread end with EINTR.
func interrupt(tid int) error {
	for _, sig := range wakeSignals {
		if !signal.Ignored(sig) {
			return unix.Tgkill(unix.Getpid(), tid, sig)
		}
	}
	return errDeaf
}

// deaf reports whether the program ignores the signal that ends waits (signal.Ignore): waits must look up by
// themselves.
func deaf() bool { return signal.Ignored(unix.SIGURG) }

// adviseHugePages asks for huge pages. Ordinary ones serve as well, only slower.
func adviseHugePages(mem []byte) { _ = unix.Madvise(mem, unix.MADV_HUGEPAGE) }
