//go:build linux

package main

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// noSpliceError is why splice(2) does not serve. Nothing was taken from the socket.
type noSpliceError struct{ error }

func (e *noSpliceError) Unwrap() error { return e.error }

// noSplice are the errors of splice(2) and pipe2(2) that say nothing about the connection.
var noSplice = []error{
	unix.EINVAL, unix.EOPNOTSUPP, // these are no files for it
	unix.ENOSYS, unix.EPERM, // a sandbox
	unix.EMFILE, unix.ENFILE, unix.ENOMEM, // no more pipes
}

// splice passes bytes on through a pipe, which they enter and leave without being copied to the process. A pipe is held
// only while there is something in it, so that a connection on which nothing happens has none. What has to be waited
// for before there are bytes is the engine's: a receive of nothing ends when there is something to receive.
func (f *flow) splice() error {
	in, err := f.from.Fd()
	if err != nil {
		return f.breaks(f.from, err)
	}
	out, err := f.to.Fd()
	if err != nil {
		return f.breaks(f.to, err)
	}
	for ready := false; ; {
		n, err := f.spliceOnce(in, out)
		switch {
		case err != nil:
			return err
		case n > 0:
			ready = false
		case n == 0, ready:
			if over, err := f.hop(); over || err != nil {
				return err
			}
			ready = false
		default:
			if _, err := f.from.Recv(f.ctx, nil, 0); err != nil {
				return f.ending(f.from, err)
			}
			ready = true
		}
	}
}

// nothingYet is that there was nothing to splice. 0 is the end of the stream, or urgent data with an end behind it.
const nothingYet = -1

// spliceOnce passes on what is there, as far as a pipe holds it.
func (f *flow) spliceOnce(in, out int) (int, error) {
	p, err := f.p.pipes.get()
	if err != nil {
		return 0, f.refused(err)
	}
	n, err := spliceAll(in, p.write, f.p.buffer)
	if n <= 0 || err != nil {
		f.p.pipes.put(p)
		switch {
		case err == unix.EAGAIN:
			return nothingYet, nil
		case err != nil:
			return 0, f.refused(err)
		}
		return 0, nil
	}
	if err := f.empty(p, out, n); err != nil {
		return n, errors.Join(err, p.close())
	}
	f.p.pipes.put(p)
	return n, nil
}

// refused is an error of taking from the socket.
func (f *flow) refused(err error) error {
	for _, no := range noSplice {
		if errors.Is(err, no) && f.p.copy == copyAuto {
			return &noSpliceError{err}
		}
	}
	return f.breaks(f.from, err)
}

// empty passes on the left bytes of a pipe. Nothing is received meanwhile: that holds the sender back.
func (f *flow) empty(p *pipe, out, left int) error {
	for left > 0 {
		n, err := spliceAll(p.read, out, left)
		switch {
		case err == unix.EAGAIN:
			if _, err := f.to.Poll(f.ctx, socketops.PollWrite, -1); err != nil {
				return f.ending(f.to, err)
			}
		case err != nil:
			return f.breaks(f.to, err)
		case n == 0:
			return f.breaks(f.to, io.ErrShortWrite)
		default:
			left -= n
			f.passed(n)
		}
	}
	return nil
}

// hop passes some bytes on through memory, where splice(2) finds none though there is something to receive: it does not
// get past urgent data. It reports whether the stream has ended, which only a receive knows for sure.
func (f *flow) hop() (over bool, err error) {
	var b [4096]byte
	n, err := f.from.TryRecv(b[:], 0)
	switch {
	case errors.Is(err, socketops.ErrWouldBlock):
		return false, nil
	case err != nil:
		return false, f.breaks(f.from, err)
	case n == 0:
		return true, nil
	}
	sent, err := f.to.Send(f.ctx, b[:n], 0)
	f.passed(sent)
	if err != nil {
		err = f.ending(f.to, err)
	}
	return false, err
}

// spliceAll wraps splice(2), which does not wait on descriptors that do not block.
func spliceAll(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return int(moved), err
		}
	}
}
