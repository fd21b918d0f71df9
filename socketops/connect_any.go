//go:build linux

package socketops

import (
	"context"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// reuseAfterFailedConnect is whether a descriptor that failed to connect is good for another address (A01). Linux would
// have it so; other systems do not, and what the first attempt left behind is not known.
const reuseAfterFailedConnect = false

// ConnectAny connects to the first of the addresses that can be reached, in their order, and returns the error of the
// last where none can. Each attempt after one that failed is made on a new descriptor, as Disconnect for reuse makes
// them: what the socket was bound to is lost. Addresses of IPv6 are passed over by sockets of IPv4; where there are no
// others, that is EAFNOSUPPORT, and EINVAL where there are none at all. A socket that is Exposed gets no new
// descriptor, so several addresses are an UnsupportedError. What says nothing about the address ends the attempts: the
// end of ctx, the deadline, Close, a connection that there is already or that is being made. A socket that does not
// wait leaves it at the first that takes time, as Connect does.
func (s *Socket) ConnectAny(ctx context.Context, addrs []netip.AddrPort) error {
	if len(addrs) == 0 {
		return s.invalid("connect", unix.EINVAL)
	}
	if len(addrs) > 1 && s.Exposed() {
		return s.invalid("connect", &UnsupportedError{
			What: "several addresses for an exposed socket", Why: "another descriptor would not be like this one",
		})
	}
	err := s.invalid("connect", unix.EAFNOSUPPORT)
	for _, ap := range addrs {
		a := IPAddr(ap)
		if s.family == unix.AF_INET && a.family != unix.AF_INET {
			continue
		}
		if err := s.renew(); err != nil {
			return err
		}
		if err = s.Connect(ctx, a); err == nil || final(err) {
			return err
		}
	}
	return err
}

// renew has the socket get another descriptor if its own failed to connect.
func (s *Socket) renew() error {
	s.mu.Lock()
	failed := s.state.failed
	s.mu.Unlock()
	if failed && !reuseAfterFailedConnect {
		return s.replace()
	}
	return nil
}

// final reports whether another address would fare no better.
func final(err error) bool {
	for _, target := range []error{
		ErrCanceled, ErrTimeout, ErrClosed, ErrInProgress, ErrWouldBlock, unix.EISCONN, unix.EALREADY,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
