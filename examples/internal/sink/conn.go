//go:build linux

package sink

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// discardMax is how many bytes one receive may throw away.
const discardMax = 1 << 30

// conn is one accepted connection.
type conn struct {
	fd       int // -1 once closed
	preamble [proto.PreambleSize]byte
	have     int // bytes of preamble
	bytes    uint64
	discard  bool      // the kernel may drop the bytes instead of copying them
	hash     hash.Hash // nil unless the stream is verified
	err      error
}

func newConn(fd int, spec Spec) *conn {
	c := &conn{fd: fd, discard: spec.Net == "tcp" && !spec.Verify}
	if spec.Verify {
		c.hash = sha256.New()
	}
	return c
}

// drain receives what is there, and reports whether the stream has ended. An edge-triggered event is
// spent once, so drain goes on until the socket is empty: that is after a receive that got less than it
// asked for, unless the peer has hung up, for then the end of the stream is still to be read.
func (c *conn) drain(buf []byte, hungUp bool) (ended bool) {
	for {
		n, asked, errno := c.receive(buf)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return false
		case errno != 0:
			c.err = os.NewSyscallError("recvfrom", errno)
			return true
		case n == 0:
			return true
		case n < asked && !hungUp:
			return false
		}
	}
}

// receive makes one recvfrom(2) and accounts for what it got.
func (c *conn) receive(buf []byte) (n, asked int, errno unix.Errno) {
	switch {
	case c.have < len(c.preamble):
		n, asked, errno = recv(c.fd, c.preamble[c.have:])
		c.have += n
		return n, asked, errno
	case c.discard:
		// TCP drops what MSG_TRUNC asks for without copying it, so there is no buffer: tcp(7).
		r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), 0, discardMax,
			unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 {
			return 0, discardMax, errno
		}
		c.bytes += uint64(r)
		return int(r), discardMax, 0
	}
	n, asked, errno = recv(c.fd, buf)
	c.bytes += uint64(n)
	if c.hash != nil {
		c.hash.Write(buf[:n])
	}
	return n, asked, errno
}

func recv(fd int, p []byte) (n, asked int, errno unix.Errno) {
	// SAFETY: p is not empty, and the argument keeps it alive while the kernel writes at most len(p) bytes.
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])),
		uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, len(p), errno
	}
	return int(r), len(p), 0
}

func (c *conn) close() error {
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	return os.NewSyscallError("close", err)
}

func (c *conn) total() Total {
	t := Total{Index: int(binary.LittleEndian.Uint32(c.preamble[:])), Bytes: c.bytes}
	switch {
	case c.err != nil:
		t.Error = c.err.Error()
	case c.have < len(c.preamble):
		t.Index, t.Error = -1, "ended before its preamble"
	}
	if c.hash != nil {
		t.SHA256 = hex.EncodeToString(c.hash.Sum(nil))
	}
	return t
}
