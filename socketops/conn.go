//go:build linux

package socketops

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Conn returns the connected socket as a net.Conn, which is closed with it. It is a net.PacketConn too where the socket
// keeps the bounds of messages. Its errors are *net.OpError around those of this package.
func (s *Socket) Conn() net.Conn {
	if s.isStream() {
		return &conn{s}
	}
	return &packetConn{conn{s}}
}

// Listener returns the listening socket as a net.Listener, which is closed with it.
func (s *Socket) Listener() net.Listener { return &listener{s} }

// PacketConn returns the datagram socket, connected or not, as a net.PacketConn, which is closed with it.
func (s *Socket) PacketConn() net.PacketConn { return &packetConn{conn{s}} }

// conn is a Socket as a net.Conn.
type conn struct{ s *Socket }

func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.s.Recv(context.Background(), b, 0)
	if n == 0 && err == nil && c.s.isStream() {
		return 0, io.EOF
	}
	return n, c.s.netError("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.s.Send(context.Background(), b, 0)
	return n, c.s.netError("write", err)
}

func (c *conn) Close() error                      { return c.s.netError("close", c.s.closeOnce()) }
func (c *conn) LocalAddr() net.Addr               { return c.s.netAddr(c.s.LocalAddr()) }
func (c *conn) RemoteAddr() net.Addr              { return c.s.netAddr(c.s.PeerAddr()) }
func (c *conn) SetDeadline(t time.Time) error     { return c.s.netError("set", c.s.SetDeadline(t)) }
func (c *conn) SetReadDeadline(t time.Time) error { return c.s.netError("set", c.s.SetReadDeadline(t)) }
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.s.netError("set", c.s.SetWriteDeadline(t))
}

// CloseWrite ends the sending direction, as that of *net.TCPConn.
func (c *conn) CloseWrite() error { return c.s.netError("close", c.s.Shutdown(ShutWrite)) }

// CloseRead ends the receiving direction.
func (c *conn) CloseRead() error { return c.s.netError("close", c.s.Shutdown(ShutRead)) }

// packetConn is a Socket as a net.PacketConn.
type packetConn struct{ conn }

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, _, err := c.s.RecvFrom(context.Background(), b, 0)
	return n, c.s.netAddr(from, err), c.s.netError("read", err)
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, err := addrOf(to)
	if err != nil {
		return 0, c.s.netError("write", err)
	}
	n, err := c.s.SendTo(context.Background(), b, 0, a)
	return n, c.s.netError("write", err)
}

// listener is a Socket as a net.Listener.
type listener struct{ s *Socket }

func (l *listener) Accept() (net.Conn, error) {
	c, _, err := l.s.Accept(context.Background())
	if err != nil {
		return nil, l.s.netError("accept", err)
	}
	return c.Conn(), nil
}

func (l *listener) Close() error                  { return l.s.netError("close", l.s.closeOnce()) }
func (l *listener) Addr() net.Addr                { return l.s.netAddr(l.s.LocalAddr()) }
func (l *listener) SetDeadline(t time.Time) error { return l.s.netError("set", l.s.SetReadDeadline(t)) }

// closeOnce is Close that says so when the socket was closed before, as package net does.
func (s *Socket) closeOnce() error {
	if s.closing.Load() {
		return ErrClosed
	}
	return s.Close()
}

// netError is an error as package net gives it, or nil.
func (s *Socket) netError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: s.network(), Err: err}
}

// network is the name that package net has for the socket's kind.
func (s *Socket) network() string {
	switch {
	case s.family == unix.AF_UNIX && s.typ == unix.SOCK_STREAM:
		return "unix"
	case s.family == unix.AF_UNIX && s.typ == unix.SOCK_SEQPACKET:
		return "unixpacket"
	case s.family == unix.AF_UNIX:
		return "unixgram"
	case s.family != unix.AF_INET && s.family != unix.AF_INET6:
		return "raw"
	case s.typ == unix.SOCK_STREAM:
		return "tcp"
	case s.typ == unix.SOCK_DGRAM:
		return "udp"
	}
	return "ip"
}

// netAddr is an address as package net has it, for whoever looks at its type. It is nil where there is none.
func (s *Socket) netAddr(a Addr, err error) net.Addr {
	name, isUnix := a.UnixName()
	switch ap := a.AddrPort(); {
	case err != nil || a.IsZero():
		return nil
	case isUnix:
		return &net.UnixAddr{Name: name, Net: s.network()}
	case !ap.IsValid():
		return a
	case s.typ == unix.SOCK_STREAM:
		return net.TCPAddrFromAddrPort(ap)
	case s.typ == unix.SOCK_DGRAM:
		return net.UDPAddrFromAddrPort(ap)
	default:
		return &net.IPAddr{IP: ap.Addr().AsSlice(), Zone: ap.Addr().Zone()}
	}
}

// addrOf is an address of package net as this package has it.
func addrOf(a net.Addr) (Addr, error) {
	switch a := a.(type) {
	case Addr:
		return a, nil
	case *net.TCPAddr:
		return unmapped(IPAddr(a.AddrPort())), nil
	case *net.UDPAddr:
		return unmapped(IPAddr(a.AddrPort())), nil
	case *net.IPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			return Addr{}, unix.EINVAL
		}
		return IPAddr(netip.AddrPortFrom(ip.Unmap().WithZone(a.Zone), 0)), nil
	case *net.UnixAddr:
		return UnixAddr(a.Name), nil
	}
	return Addr{}, unix.EINVAL
}
