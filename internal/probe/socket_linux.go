package probe

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/rawring"
)

// socketpair makes two connected stream sockets.
func (p *prober) socketpair() (here, there int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, answeredHelper("socketpair", err)
	}
	p.later(func() {
		unix.Close(pair[0])
		unix.Close(pair[1])
	})
	return pair[0], pair[1], nil
}

// socket makes a non-blocking socket that is closed when the attempt is over.
func (p *prober) socket(domain, kind int) (int, error) {
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, answeredHelper("socket", err)
	}
	p.later(func() { unix.Close(fd) })
	return fd, nil
}

// boundUnix makes a unix socket with an address that the kernel chose, which needs neither files nor a network.
func (p *prober) boundUnix(kind int) (int, *unix.SockaddrUnix, error) {
	fd, err := p.socket(unix.AF_UNIX, kind)
	if err != nil {
		return -1, nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
		return -1, nil, answeredHelper("bind", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return -1, nil, answeredHelper("getsockname", err)
	}
	named, ok := addr.(*unix.SockaddrUnix)
	if !ok || len(named.Name) < 2 {
		return -1, nil, fmt.Errorf("preparing the attempt: unix socket got no address: %v", addr)
	}
	return fd, named, nil
}

// loopbacks are where a TCP connection within the machine may be possible.
var loopbacks = []struct {
	domain int
	addr   unix.Sockaddr
}{
	{unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
	{unix.AF_INET6, &unix.SockaddrInet6{Addr: [16]byte{15: 1}}},
}

// tcpPair makes two connected TCP sockets.
func (p *prober) tcpPair() (here, there int, err error) {
	for _, l := range loopbacks {
		here, there, failed := p.tcpPairOver(l.domain, l.addr)
		if failed == nil {
			return here, there, nil
		}
		if err == nil {
			err = failed
		}
	}
	return -1, -1, err
}

func (p *prober) tcpPairOver(domain int, loopback unix.Sockaddr) (here, there int, err error) {
	listener, err := p.socket(domain, unix.SOCK_STREAM)
	if err != nil {
		return -1, -1, err
	}
	if err := unix.Bind(listener, loopback); err != nil {
		return -1, -1, answeredHelper("bind", err)
	}
	if err := unix.Listen(listener, 1); err != nil {
		return -1, -1, answeredHelper("listen", err)
	}
	addr, err := unix.Getsockname(listener)
	if err != nil {
		return -1, -1, answeredHelper("getsockname", err)
	}
	if here, err = p.socket(domain, unix.SOCK_STREAM); err != nil {
		return -1, -1, err
	}
	if err := unix.Connect(here, addr); err != nil && err != unix.EINPROGRESS {
		return -1, -1, answeredHelper("connect", err)
	}
	if err := rawring.WaitReadable(listener, time.Now().Add(p.patience())); err != nil {
		return -1, -1, answeredHelper("accept", err)
	}
	there, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return -1, -1, answeredHelper("accept", err)
	}
	p.later(func() { unix.Close(there) })
	return here, there, nil
}

// write sends a few bytes, for which an idle socket has room.
func write(fd int, text string) error {
	n, err := unix.SendmsgN(fd, []byte(text), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err == nil && n != len(text) {
		err = unix.EAGAIN
	}
	if err != nil {
		return answeredHelper("send", err)
	}
	return nil
}

// read receives until it has n bytes or no more come.
func (p *prober) read(fd, n int) (string, error) {
	deadline := time.Now().Add(p.patience())
	var got []byte
	for len(got) < n {
		if err := rawring.WaitReadable(fd, deadline); err != nil {
			return string(got), fmt.Errorf("received %d bytes of %d: %w", len(got), n, err)
		}
		buf := make([]byte, n+1-len(got))
		more, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
		case err != nil:
			return string(got), answeredHelper("recv", err)
		case more == 0:
			return string(got), nil
		}
		got = append(got, buf[:max(more, 0)]...)
	}
	return string(got), nil
}
