//go:build linux

package load

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// unixWritev is writev by the function that a Go program would call: unix.Writev, which makes its own vector each
// time and tells Go's scheduler of the call.
type unixWritev struct {
	*writev
	scratch [][]byte
}

func openUnixWritev(job proto.Job) (batcher, error) {
	w, err := newWritev(job)
	if err != nil {
		return nil, err
	}
	u := &unixWritev{writev: w, scratch: make([][]byte, 0, min(job.Msgs, iovMax))}
	w.call = u.callUnix
	return u, nil
}

// callUnix makes one unix.Writev from the first unsent byte on.
func (u *unixWritev) callUnix(c *writevConn) (int, unix.Errno) {
	slot, skip := c.sent/u.job.Size, c.sent%u.job.Size
	bufs := u.scratch[:0]
	for ; slot < u.job.Msgs && len(bufs) < iovMax; slot++ {
		bufs = append(bufs, u.msg(c.index, slot)[skip:])
		skip = 0
	}
	u.calls++
	n, err := unix.Writev(c.fd, bufs)
	var errno unix.Errno
	if errors.As(err, &errno) {
		return 0, errno
	}
	return n, 0
}
