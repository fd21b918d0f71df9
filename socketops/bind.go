//go:build linux

package socketops

import (
	"net/netip"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Family, Type and Protocol are the kernel's numbers: AF_INET and so on, SOCK_STREAM, IPPROTO_TCP.
type (
	Family   int
	Type     int
	Protocol int
)

// ShutdownHow is which directions Shutdown ends.
type ShutdownHow int

// The directions, which can be or-ed together.
const (
	ShutRead  ShutdownHow = 1
	ShutWrite ShutdownHow = 2
	ShutBoth  ShutdownHow = ShutRead | ShutWrite
)

// Bind wraps bind(2): it gives the socket an address. On TCP sockets SO_REUSEADDR is set first, so that a server can
// start again while connections of its predecessor linger (N26). The path of a unix socket is removed by Close (N53),
// see SetUnlinkOnClose: the one that it was at Bind, whatever the working directory is later, and only while it is
// still this socket.
func (s *Socket) Bind(a Addr) error {
	name, err := s.reachable(a).sockaddr(nil)
	if err != nil {
		return s.invalid("bind", err)
	}
	return s.control("bind", func(fd int) error {
		if s.proto == unix.IPPROTO_TCP {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // as a help only
		}
		// SAFETY: the kernel reads the name during the call.
		_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)))
		if errno != 0 {
			return errno
		}
		if path, ok := a.UnixName(); ok && path != "" && path[0] != '@' {
			bound := newBoundPath(path)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.state.bound = bound
		}
		return nil
	})
}

// Listen wraps listen(2): the socket takes connections, of which backlog wait to be accepted at most, as far as
// net.core.somaxconn allows.
func (s *Socket) Listen(backlog int) error {
	return s.control("listen", func(fd int) error {
		err := unix.Listen(fd, backlog)
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.state.listening = true
		}
		return err
	})
}

// Shutdown wraps shutdown(2). On a socket that was connected once, ENOTCONN is no error (N37). What waits in the
// directions that were ended is woken by the kernel: receives by the end of the stream, sends by EPIPE.
func (s *Socket) Shutdown(how ShutdownHow) error {
	if how&^ShutBoth != 0 || how == 0 {
		return s.invalid("shutdown", unix.EINVAL)
	}
	return s.control("shutdown", func(fd int) error {
		err := unix.Shutdown(fd, int(how)-1)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == unix.ENOTCONN && s.state.everConnect {
			err = nil
		}
		if err == nil {
			s.state.shut |= how
		}
		return err
	})
}

// LocalAddr wraps getsockname(2).
func (s *Socket) LocalAddr() (Addr, error) { return s.name("getsockname", unix.SYS_GETSOCKNAME) }

// PeerAddr wraps getpeername(2): ENOTCONN where there is no peer.
func (s *Socket) PeerAddr() (Addr, error) { return s.name("getpeername", unix.SYS_GETPEERNAME) }

func (s *Socket) name(call string, trap uintptr) (a Addr, err error) {
	err = s.control(call, func(fd int) error {
		a, err = getname(fd, trap)
		return err
	})
	return s.engine.told(a), err
}

// getname wraps getsockname(2) and getpeername(2).
func getname(fd int, trap uintptr) (Addr, error) {
	var b [MaxAddrLen]byte
	size := uint32(len(b))
	// SAFETY: the kernel writes at most size bytes of b, and size, during the call.
	_, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return Addr{}, errno
	}
	return parseAddr(b[:min(size, MaxAddrLen)]), nil
}

// Available returns how many bytes a receive would bring: of a stream all that are there, of a datagram socket those of
// the next datagram (A39). Listening sockets give EINVAL.
func (s *Socket) Available() (n int, err error) {
	err = s.control("ioctl FIONREAD", func(fd int) error {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return err
	})
	return n, err
}

// AtOutOfBandMark reports whether the next byte of the stream is the urgent one (A40).
func (s *Socket) AtOutOfBandMark() (at bool, err error) {
	err = s.control("ioctl SIOCATMARK", func(fd int) error {
		n, err := unix.IoctlGetInt(fd, unix.SIOCATMARK)
		at = n != 0
		return err
	})
	return at, err
}

// mapped is an IPv4 address as IPv6 sockets have it.
func mapped(a Addr) Addr {
	ap := a.ip
	return Addr{family: unix.AF_INET6, ip: netip.AddrPortFrom(netip.AddrFrom16(ap.Addr().As16()), ap.Port())}
}

// to has the message go to an address.
func (m *message) to(a Addr) error {
	name, err := a.sockaddr(m.name[:0])
	if err != nil {
		return err
	}
	m.nameLen = len(name)
	return nil
}

// boundPath is the file of a unix socket. A name alone does not say that the file is still this socket: the working
// directory can be another by then, and the file too. The kernel keeps the file's inode while the descriptor is open,
// so no other file has its number until then.
type boundPath struct {
	path        string // absolute
	device, ino uint64
}

// newBoundPath returns what a socket was just bound to, or nil where that cannot be found again.
func newBoundPath(path string) *boundPath {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	return &boundPath{path, uint64(st.Dev), st.Ino}
}

// remove unlinks the path of a descriptor that is still open, if it is still the socket's.
func (b *boundPath) remove() error {
	if b == nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Lstat(b.path, &st) != nil || uint64(st.Dev) != b.device || st.Ino != b.ino {
		return nil
	}
	if err := unix.Unlink(b.path); err != nil && err != unix.ENOENT {
		return os.NewSyscallError("unlink", err)
	}
	return nil
}
