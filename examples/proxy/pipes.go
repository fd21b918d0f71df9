//go:build linux

package main

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pipesKept is how many empty pipes are kept for the next flow that needs one.
const pipesKept = 64

// pipe is where spliced bytes are between two sockets.
type pipe struct{ read, write int }

// pipePool makes pipes, and keeps some that are empty.
type pipePool struct {
	size int // bytes that a pipe is to hold

	mu   sync.Mutex // guards kept
	kept []*pipe
}

// get returns an empty pipe.
func (pp *pipePool) get() (*pipe, error) {
	pp.mu.Lock()
	if n := len(pp.kept); n > 0 {
		p := pp.kept[n-1]
		pp.kept = pp.kept[:n-1]
		pp.mu.Unlock()
		return p, nil
	}
	pp.mu.Unlock()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	// A user has so much memory for pipes, and no more: a pipe of the size that the kernel made does as well, in
	// smaller portions.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pp.size)
	return &pipe{fds[0], fds[1]}, nil
}

// put takes an empty pipe back.
func (pp *pipePool) put(p *pipe) {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	if len(pp.kept) < pipesKept {
		pp.kept = append(pp.kept, p)
		return
	}
	p.close()
}

func (p *pipe) close() error { return errors.Join(unix.Close(p.read), unix.Close(p.write)) }

// close closes the pipes that are kept, which are all that there are when no flow is left.
func (pp *pipePool) close() error {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	var errs []error
	for _, p := range pp.kept {
		errs = append(errs, p.close())
	}
	pp.kept = nil
	return errors.Join(errs...)
}
