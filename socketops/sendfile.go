//go:build linux

package socketops

import (
	"context"
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// TrySendFile wraps sendfile(2): it sends what the socket takes of the n bytes of a file at offset off, without waiting
// for the socket, and returns how much that is. A negative n means as far as the file's end, which is looked up first.
// A file that ends before is no error (A36); one that cannot be read at an offset is ESPIPE. Reading from the disk does
// take time. The file's own offset is neither used nor moved, and f can be closed meanwhile.
//
// The pages of the file are sent as they are when they leave: what is written to them soon after a send can be sent
// instead. Where the kernel cannot send from the file, it is read and sent. On a broken connection sendfile raises
// SIGPIPE, which programs in Go do not notice, and C programs that use this package as a library have to ignore (N40).
// A stream that never was connected is ENOTCONN, where the kernel says EPIPE.
func (s *Socket) TrySendFile(f *os.File, off, n int64) (int64, error) {
	return s.sendFile(context.Background(), f, off, n, true)
}

// SendFile is TrySendFile that waits as Send does. No other send of the socket comes in between. The error comes with
// how many bytes had left.
func (s *Socket) SendFile(ctx context.Context, f *os.File, off, n int64) (int64, error) {
	return s.sendFile(ctx, f, off, n, false)
}

// GoSendFile is SendFile in the background, as GoSend is Send: done is called once, whatever comes of it.
func (s *Socket) GoSendFile(f *os.File, off, n int64, done func(n int64, err error)) *Op {
	if done == nil {
		return s.refuseOp(sending, s.invalid("sendfile", unix.EINVAL), nil)
	}
	o, err := newSendFile(f, off, n)
	if err != nil {
		err = s.invalid("sendfile", err)
		return s.refuseOp(sending, err, func() { done(0, err) })
	}
	n = o.left
	o.callback = func(o *op) {
		unix.Close(o.fileFD)
		done(n-o.left, s.peerless(o.fault()))
	}
	return s.launch(o, s.WriteTimeout())
}

func (s *Socket) sendFile(ctx context.Context, f *os.File, off, n int64, try bool) (int64, error) {
	o, err := newSendFile(f, off, n)
	if err != nil {
		return 0, s.invalid("sendfile", err)
	}
	defer o.recycle()
	defer unix.Close(o.fileFD)
	o.once, n = try, o.left
	s.perform(ctx, o, s.WriteTimeout())
	return n - o.left, s.peerless(o.fault())
}

// peerless is the error of a send, which is ENOTCONN where the kernel says that a connection is broken and there never
// was one.
func (s *Socket) peerless(err error) error {
	var failed *OpError
	if errors.As(err, &failed) && failed.Err == unix.EPIPE && !s.hadPeer() {
		return opError(failed.Op, unix.ENOTCONN)
	}
	return err
}

// hadPeer reports whether the socket is or was connected.
func (s *Socket) hadPeer() bool {
	s.mu.Lock()
	ever := s.state.everConnect
	s.mu.Unlock()
	if !ever {
		_, err := s.PeerAddr()
		ever = err == nil
	}
	return ever
}

// newSendFile prepares sendfile(2) from a descriptor of its own, which is to be closed when the operation is over.
func newSendFile(f *os.File, off, n int64) (*op, error) {
	if off < 0 {
		return nil, unix.EINVAL
	}
	fd, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		if n, err = toEnd(fd, off); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	o := newOp(opSendFile, 0)
	o.whole, o.fileFD, o.off, o.left = true, fd, off, n
	return o, nil
}

// duplicate returns another descriptor of the file, which keeps it open when f is closed.
func duplicate(f *os.File) (int, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if conn.Control(func(p uintptr) { fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }) != nil {
		return -1, os.ErrClosed // which is all that Control has to say
	}
	return fd, err
}

// toEnd returns how many bytes the file has at an offset. Where its size is not known, such as that of a device or of
// what is in /proc, the end is where nothing can be read any more.
func toEnd(fd int, off int64) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > 0 {
		return max(st.Size-off, 0), nil
	}
	return math.MaxInt64 - off, nil
}

const (
	sendFileMax = 0x7ffff000 // what one call transfers at most
	copyMax     = 64 << 10   // what is read at a time, where it has to be
)

// sysSendFile wraps sendfile(2), and notes how far it came in the file.
func sysSendFile(fd int, o *op) int {
	if o.copied != nil {
		return sysCopyFile(fd, o)
	}
	calm(fd)
	n, err := unix.Sendfile(fd, o.fileFD, &o.off, int(min(o.left, sendFileMax)))
	switch err {
	case nil:
		o.left -= int64(n)
		return n
	case unix.EINVAL, unix.ENOSYS, unix.EOVERFLOW: // not from this file, or not to this socket (N33)
		o.copied = make([]byte, copyMax)
		return sysCopyFile(fd, o)
	}
	return -int(err.(unix.Errno))
}

// sysCopyFile is sysSendFile by pread(2) and send(2). What the socket did not take is read again.
func sysCopyFile(fd int, o *op) int {
	n, err := unix.Pread(o.fileFD, o.copied[:min(o.left, copyMax)], o.off)
	if err != nil {
		return -int(err.(unix.Errno))
	}
	if n == 0 {
		return 0
	}
	n = sysSend(fd, o.copied[:n], 0)
	if n > 0 {
		o.off, o.left = o.off+int64(n), o.left-int64(n)
	}
	return n
}
