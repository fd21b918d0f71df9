//go:build linux

package socketops

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Conn returns the connected socket as a net.Conn, which is closed with it. It is a net.PacketConn too where the socket
// keeps the bounds of messages.
//
// It behaves as a connection of package net, on every engine: its addresses are those that accept, connect and bind
// have told, also when the peer has reset the connection and after Close; Close delivers what Write has taken and has
// the peer see the end of the stream, whoever waits in a Read (a reset by N51 is of Socket.Close only); the end of a
// stream, and of a sequence of packets, is io.EOF; errors are *net.OpError around those of package net.
//
// The options that package net sets are set where the program has not said otherwise on the socket: TCP_NODELAY,
// SO_KEEPALIVE with 15 s of quiet, 15 s between probes and 9 of them, and SO_BROADCAST on datagram sockets of IP. What
// Conn returns has setters for them, by the names that those of *net.TCPConn and *net.UDPConn have.
func (s *Socket) Conn() net.Conn { return s.newConn(nil) }

// PacketConn returns the datagram socket, connected or not, as a net.PacketConn, which is closed with it. All that Conn
// says holds for it.
func (s *Socket) PacketConn() net.PacketConn {
	s.setNetDefaults(nil)
	return &packetConn{s.asConn()}
}

// newConn is Conn of a socket that a listener has accepted, or nil.
func (s *Socket) newConn(from *Socket) net.Conn {
	s.setNetDefaults(from)
	switch c := s.asConn(); {
	case s.isTCP():
		return &tcpConn{c}
	case s.isStream():
		return &c
	default:
		return &packetConn{c}
	}
}

// conn is a Socket as a net.Conn.
type conn struct {
	s             *Socket
	local, remote net.Addr // as they were when it became one, or nil where that was too early
}

// asConn keeps the addresses that the socket has, and has the end of a Socket's messages told from empty ones.
func (s *Socket) asConn() conn {
	s.asNet.Store(true)
	if s.marksMessages() {
		_ = s.control("setsockopt", func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
		})
	}
	local, remote := s.localNow(), s.netAddr(s.keptPeer())
	if !settled(local) {
		local = nil
	}
	return conn{s, local, remote}
}

func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if c.s.marksMessages() {
		return c.readMessage(b)
	}
	n, err := c.s.Recv(context.Background(), b, 0)
	if n == 0 && err == nil && c.s.ends() {
		return 0, io.EOF
	}
	return n, c.error("read", err)
}

// ends reports whether a receive of no bytes is the end, as package net has it: of all but datagrams.
func (s *Socket) ends() bool { return s.typ != unix.SOCK_DGRAM && s.typ != unix.SOCK_RAW }

// marksMessages reports whether the socket's messages can be empty and its peer can end them: recvmsg(2) returns 0 for
// either. A message comes with the time that it was sent, where SO_TIMESTAMP asks for that, and the end does not. There
// is no room for the time, so the kernel says that it was cut off: MSG_CTRUNC marks a message.
func (s *Socket) marksMessages() bool {
	return s.family == unix.AF_UNIX && s.typ == unix.SOCK_SEQPACKET
}

func (c *conn) readMessage(b []byte) (int, error) {
	o, err := c.s.newRecvMsg(nil, 0, wantNothing)
	if err != nil {
		return 0, c.error("read", err)
	}
	defer o.recycle()
	o.msg.set(b)
	c.s.perform(context.Background(), o, c.s.ReadTimeout())
	if o.succeeded && o.n == 0 && o.msg.flags&unix.MSG_CTRUNC == 0 {
		return 0, io.EOF
	}
	return o.n, c.error("read", opError("recv", errors.Unwrap(o.fault())))
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.s.Send(context.Background(), b, 0)
	return n, c.error("write", err)
}

func (c *conn) Close() error { return c.error("close", c.s.closeAsNet()) }

func (c *conn) LocalAddr() net.Addr {
	if c.local != nil {
		return c.local
	}
	return c.s.localNow()
}

func (c *conn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.s.peerNow()
}

func (c *conn) SetDeadline(t time.Time) error      { return c.setError(c.s.SetDeadline(t)) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.setError(c.s.SetReadDeadline(t)) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setError(c.s.SetWriteDeadline(t)) }

// CloseWrite ends the sending direction, as that of *net.TCPConn.
func (c *conn) CloseWrite() error { return c.error("close", c.s.Shutdown(ShutWrite)) }

// CloseRead ends the receiving direction.
func (c *conn) CloseRead() error { return c.error("close", c.s.Shutdown(ShutRead)) }

// error is an error as package net gives it, or nil.
func (c *conn) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return c.s.netError(op, c.LocalAddr(), c.RemoteAddr(), err)
}

// setError is the error of a deadline, which is about the socket at this end.
func (c *conn) setError(err error) error {
	if err == nil {
		return nil
	}
	return c.s.netError("set", nil, c.LocalAddr(), err)
}

// packetConn is a Socket as a net.PacketConn.
type packetConn struct{ conn }

// ReadFrom takes a datagram, also with an empty b.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	o, err := c.s.newRecvMsg(nil, 0, wantName)
	if err != nil {
		return 0, nil, c.error("read", err)
	}
	defer o.recycle()
	o.msg.set(b)
	c.s.perform(context.Background(), o, c.s.ReadTimeout())
	return o.n, c.s.netAddr(c.s.msg(o).From), c.error("read", o.fault())
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, err := c.s.addrOf(to)
	n := 0
	if err == nil {
		n, err = c.s.SendTo(context.Background(), b, 0, a)
	}
	if err != nil {
		return n, c.s.netError("write", c.LocalAddr(), to, err)
	}
	return n, nil
}

// closeAsNet is Close as package net has it: it says so when the socket was closed before, and leaves the connection's
// end to the kernel, which delivers what was sent.
func (s *Socket) closeAsNet() error {
	if s.tally == nil || s.closing.Swap(true) {
		return ErrClosed
	}
	s.end(false)
	return s.fault
}

// netCall is what package net calls a system call.
func netCall(op string) string {
	switch op {
	case "recv":
		return "read"
	case "send":
		return "write"
	case "recvmsg":
		return "recvfrom"
	case "sendmsg":
		return "sendto"
	}
	return op
}

// netError is an error as package net gives it.
func (s *Socket) netError(op string, source, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: s.network(), Source: source, Addr: addr, Err: netCause(err)}
}

// netCause is what package net has inside of its errors.
func netCause(err error) error {
	var failed *OpError
	switch errno, ok := errnoOf(err); {
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, ErrWouldBlock): // which says of itself that it is about time
	case ok && errors.As(err, &failed) && failed.Err == error(errno):
		return os.NewSyscallError(netCall(failed.Op), errno)
	}
	return err
}

// What package net has connections probed by, where it is not told.
const (
	keepAliveTime  = 15 * time.Second // of quiet, and between the probes
	keepAliveCount = 9
)

// netDefaults are the options of a TCP connection in package net.
var netDefaults = []struct {
	key   optionKey
	value int
}{
	{optionKey{LevelTCP, OptNoDelay}, 1},
	{optionKey{LevelSocket, OptKeepAlive}, 1},
	{optionKey{LevelTCP, OptTCPKeepAliveIdle}, int(keepAliveTime / time.Second)},
	{optionKey{LevelTCP, OptTCPKeepAliveInterval}, int(keepAliveTime / time.Second)},
	{optionKey{LevelTCP, OptTCPKeepAliveCount}, keepAliveCount},
}

// setNetDefaults sets the options that package net sets, but for those that were set on the socket, or on the one that
// has accepted it, or nil. What the kernel refuses is left as it is, and nothing of it is remembered (N34).
func (s *Socket) setNetDefaults(from *Socket) {
	_ = s.control("setsockopt", func(fd int) error {
		if s.isTCP() {
			for _, d := range netDefaults {
				if o, err := d.key.kernel(); err == nil && !s.hasSet(d.key) && (from == nil || !from.hasSet(d.key)) {
					_ = unix.SetsockoptInt(fd, o.level, o.name, d.value)
				}
			}
		}
		if s.isIP() && !s.isStream() && !s.Exposed() { // by which it is not known whether the program has set it
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
		}
		return nil
	})
}

// hasSet reports whether an option was set by the program.
func (s *Socket) hasSet(k optionKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.state.options.set, func(o setOption) bool { return o.key == k })
}

// SetReadBuffer is that of *net.TCPConn: SO_RCVBUF.
func (c *conn) SetReadBuffer(bytes int) error { return c.error("set", c.s.SetRecvBuffer(bytes)) }

// SetWriteBuffer is that of *net.TCPConn: SO_SNDBUF.
func (c *conn) SetWriteBuffer(bytes int) error { return c.error("set", c.s.SetSendBuffer(bytes)) }

// tcpConn is a Socket of TCP as a net.Conn.
type tcpConn struct{ conn }

// SetNoDelay is that of *net.TCPConn.
func (c *tcpConn) SetNoDelay(noDelay bool) error { return c.error("set", c.s.SetNoDelay(noDelay)) }

// SetKeepAlive is that of *net.TCPConn.
func (c *tcpConn) SetKeepAlive(keepalive bool) error {
	return c.error("set", c.s.SetKeepAlive(keepalive))
}

// SetKeepAlivePeriod is that of *net.TCPConn: after how much quiet the first probe is sent. 0 is 15 seconds, and a
// negative time changes nothing.
func (c *tcpConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.error("set", c.setKeepAliveTime(c.s.SetKeepAliveIdle, d))
}

// SetKeepAliveConfig is that of *net.TCPConn: values of 0 are those of package net, and negative ones change nothing.
func (c *tcpConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	err := c.s.SetKeepAlive(config.Enable)
	if err == nil {
		err = c.setKeepAliveTime(c.s.SetKeepAliveIdle, config.Idle)
	}
	if err == nil {
		err = c.setKeepAliveTime(c.s.SetKeepAliveInterval, config.Interval)
	}
	if n := config.Count; err == nil && n >= 0 {
		if n == 0 {
			n = keepAliveCount
		}
		err = c.s.SetKeepAliveCount(n)
	}
	return c.error("set", err)
}

func (c *tcpConn) setKeepAliveTime(set func(time.Duration) error, d time.Duration) error {
	switch {
	case d < 0:
		return nil
	case d == 0:
		d = keepAliveTime
	}
	return set(d)
}

// SetLinger is that of *net.TCPConn: what Close does with data that is not sent yet. A negative sec leaves it to the
// kernel, and 0 drops it.
func (c *tcpConn) SetLinger(sec int) error {
	return c.error("set", c.s.SetLinger(Linger{Enabled: sec >= 0, Seconds: min(max(sec, 0), math.MaxUint16)}))
}
