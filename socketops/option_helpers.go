//go:build linux

package socketops

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// flag returns an option that is a yes or no.
func (s *Socket) flag(level Level, name Option) (bool, error) {
	v, err := s.OptionInt(level, name)
	return err == nil && v != 0, err
}

// SetNoDelay says whether small pieces are sent at once, instead of waiting for the acknowledgement of what was sent
// before: TCP_NODELAY.
func (s *Socket) SetNoDelay(on bool) error { return s.SetOptionInt(LevelTCP, OptNoDelay, asInt(on)) }

// NoDelay returns what SetNoDelay sets.
func (s *Socket) NoDelay() (bool, error) { return s.flag(LevelTCP, OptNoDelay) }

// SetKeepAlive says whether a connection on which nothing happens is probed: SO_KEEPALIVE.
func (s *Socket) SetKeepAlive(on bool) error {
	return s.SetOptionInt(LevelSocket, OptKeepAlive, asInt(on))
}

// KeepAlive returns what SetKeepAlive sets.
func (s *Socket) KeepAlive() (bool, error) { return s.flag(LevelSocket, OptKeepAlive) }

// SetKeepAliveIdle sets after how much quiet the first probe is sent: TCP_KEEPIDLE, of 1 to 32767 seconds, rounded up.
func (s *Socket) SetKeepAliveIdle(d time.Duration) error {
	return s.setSeconds(OptTCPKeepAliveIdle, d)
}

// KeepAliveIdle returns what SetKeepAliveIdle sets.
func (s *Socket) KeepAliveIdle() (time.Duration, error) { return s.seconds(OptTCPKeepAliveIdle) }

// SetKeepAliveInterval sets how far apart the probes are: TCP_KEEPINTVL, of 1 to 32767 seconds, rounded up.
func (s *Socket) SetKeepAliveInterval(d time.Duration) error {
	return s.setSeconds(OptTCPKeepAliveInterval, d)
}

// KeepAliveInterval returns what SetKeepAliveInterval sets.
func (s *Socket) KeepAliveInterval() (time.Duration, error) {
	return s.seconds(OptTCPKeepAliveInterval)
}

// SetKeepAliveCount sets how many probes in a row end the connection when they stay without an answer: TCP_KEEPCNT,
// of 1 to 127.
func (s *Socket) SetKeepAliveCount(n int) error {
	return s.SetOptionInt(LevelTCP, OptTCPKeepAliveCount, n)
}

// KeepAliveCount returns what SetKeepAliveCount sets.
func (s *Socket) KeepAliveCount() (int, error) { return s.OptionInt(LevelTCP, OptTCPKeepAliveCount) }

// setSeconds sets an option of LevelTCP to whole seconds. What is out of range the kernel refuses with EINVAL.
func (s *Socket) setSeconds(name Option, d time.Duration) error {
	return s.SetOptionInt(LevelTCP, name, int(min(roundUp(d, time.Second), math.MaxInt32)))
}

func (s *Socket) seconds(name Option) (time.Duration, error) {
	v, err := s.OptionInt(LevelTCP, name)
	return time.Duration(v) * time.Second, err
}

// roundUp is how often unit fits into d, where the rest counts as one more.
func roundUp(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

// SetReuseAddress says whether other sockets that say so too can be bound to the same address: SO_REUSEPORT, which
// among listening sockets shares out the connections, and SO_REUSEADDR (N27). Newer kernels have SO_REUSEPORT for
// sockets of IP only, and EOPNOTSUPP for others.
func (s *Socket) SetReuseAddress(on bool) error {
	return s.SetOptionInt(LevelSocket, OptReuseAddress, asInt(on))
}

// ReuseAddress returns what SetReuseAddress sets, as SO_REUSEPORT has it.
func (s *Socket) ReuseAddress() (bool, error) { return s.flag(LevelSocket, OptReuseAddress) }

// SetExclusiveAddressUse is SetReuseAddress of the opposite.
func (s *Socket) SetExclusiveAddressUse(on bool) error {
	return s.SetOptionInt(LevelSocket, OptExclusiveAddressUse, asInt(on))
}

// ExclusiveAddressUse returns the opposite of ReuseAddress: at first true.
func (s *Socket) ExclusiveAddressUse() (bool, error) {
	return s.flag(LevelSocket, OptExclusiveAddressUse)
}

// Linger is what Close does with data that has not been sent. Enabled, it waits up to Seconds for that, and 0 seconds
// drop the data and reset the connection. Otherwise the kernel sends it by and by.
type Linger struct {
	Enabled bool
	Seconds int // 0 to 65535
}

// SetLinger sets SO_LINGER. Seconds out of range are EINVAL where Linger is enabled, and do not matter otherwise
// (A66).
func (s *Socket) SetLinger(l Linger) error {
	if !l.Enabled {
		l.Seconds = 0
	}
	if l.Seconds < 0 || l.Seconds > math.MaxUint16 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	b := append(intValue(asInt(l.Enabled)), intValue(l.Seconds)...)
	return s.setOption(optionKey{LevelSocket, OptLinger}, b)
}

// Linger returns what SetLinger sets.
func (s *Socket) Linger() (Linger, error) {
	var b [unix.SizeofLinger]byte
	if _, err := s.OptionBytes(LevelSocket, OptLinger, b[:]); err != nil {
		return Linger{}, err
	}
	enabled := binary.NativeEndian.Uint32(b[:]) != 0
	return Linger{enabled, int(int32(binary.NativeEndian.Uint32(b[4:])))}, nil
}

// SetV6Only says whether a socket of IPv6 takes packets of IPv6 only, which it does at first: IPV6_V6ONLY. Once it is
// bound it is EINVAL.
func (s *Socket) SetV6Only(on bool) error { return s.SetOptionInt(LevelIPv6, OptIPv6Only, asInt(on)) }

// V6Only returns what the kernel has: it sets IPV6_V6ONLY when the socket is bound to an address that is not of IPv4,
// and not the unspecified one.
func (s *Socket) V6Only() (bool, error) { return s.flag(LevelIPv6, OptIPv6Only) }

// SetDualMode is SetV6Only of the opposite. On sockets that are not of IPv6 it is EOPNOTSUPP (N04).
func (s *Socket) SetDualMode(on bool) error {
	if err := s.requireIPv6(); err != nil {
		return s.invalid("setsockopt", err)
	}
	return s.SetV6Only(!on)
}

// DualMode returns the opposite of V6Only. On sockets that are not of IPv6 it is EOPNOTSUPP.
func (s *Socket) DualMode() (bool, error) {
	if err := s.requireIPv6(); err != nil {
		return false, s.invalid("getsockopt", err)
	}
	only, err := s.V6Only()
	return err == nil && !only, err
}

func (s *Socket) requireIPv6() error {
	if s.family == unix.AF_INET6 {
		return nil
	}
	return &UnsupportedError{What: "dual mode", Why: "the socket is not of IPv6"}
}

// SetBroadcast says whether datagrams can be sent to broadcast addresses: SO_BROADCAST.
func (s *Socket) SetBroadcast(on bool) error {
	return s.SetOptionInt(LevelSocket, OptBroadcast, asInt(on))
}

// Broadcast returns what SetBroadcast sets.
func (s *Socket) Broadcast() (bool, error) { return s.flag(LevelSocket, OptBroadcast) }

// SetDontFragment says whether packets of IPv4 that are too long for the way fail with EMSGSIZE instead of being cut
// into fragments: IP_MTU_DISCOVER (N28).
func (s *Socket) SetDontFragment(on bool) error {
	return s.SetOptionInt(LevelIP, OptDontFragment, asInt(on))
}

// DontFragment returns what SetDontFragment sets, and false where the kernel decides for itself.
func (s *Socket) DontFragment() (bool, error) { return s.flag(LevelIP, OptDontFragment) }

// SetTTL sets how many routers a packet passes, 1 to 255; others are EINVAL: IP_TTL, and on sockets of IPv6
// IPV6_UNICAST_HOPS too.
func (s *Socket) SetTTL(n int) error {
	if n < 1 || n > math.MaxUint8 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.setOptionIP(OptIPTimeToLive, n)
}

// TTL returns what SetTTL sets.
func (s *Socket) TTL() (int, error) { return s.OptionInt(s.levelIP(), OptIPTimeToLive) }

// levelIP is the level of the socket's own version of IP.
func (s *Socket) levelIP() Level {
	if s.family == unix.AF_INET6 {
		return LevelIPv6
	}
	return LevelIP
}

// setOptionIP sets an option of the socket's own version of IP, and on a socket of IPv6 that of IPv4 for the packets
// of dual mode, which raw sockets do not have.
func (s *Socket) setOptionIP(name Option, v int) error {
	err := s.SetOptionInt(s.levelIP(), name, v)
	if err != nil || s.family != unix.AF_INET6 || s.typ == unix.SOCK_RAW {
		return err
	}
	return s.SetOptionInt(LevelIP, name, v)
}

// SetRecvBuffer sets how many bytes wait to be received: SO_RCVBUF, of which the kernel sets twice the value for its
// own needs, and no more than net.core.rmem_max. Less than 0 is EINVAL.
func (s *Socket) SetRecvBuffer(bytes int) error { return s.setBuffer(OptReceiveBuffer, bytes) }

// RecvBuffer returns the size that the kernel has set.
func (s *Socket) RecvBuffer() (int, error) { return s.OptionInt(LevelSocket, OptReceiveBuffer) }

// SetSendBuffer sets how many bytes wait to be sent: SO_SNDBUF, as SetRecvBuffer with net.core.wmem_max.
func (s *Socket) SetSendBuffer(bytes int) error { return s.setBuffer(OptSendBuffer, bytes) }

// SendBuffer returns the size that the kernel has set.
func (s *Socket) SendBuffer() (int, error) { return s.OptionInt(LevelSocket, OptSendBuffer) }

// setBuffer refuses sizes that the kernel would take for the largest there is.
func (s *Socket) setBuffer(name Option, bytes int) error {
	if bytes < 0 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.SetOptionInt(LevelSocket, name, bytes)
}

// SetFastOpen says whether TCP fast open is wanted: TCP_FASTOPEN. It is a wish: that the kernel refuses is no error,
// and only a closed socket is (N31).
func (s *Socket) SetFastOpen(on bool) error { return s.SetOptionInt(LevelTCP, OptFastOpen, asInt(on)) }

// FastOpen returns what SetFastOpen has said, at first false.
func (s *Socket) FastOpen() bool { return s.fastOpen.Load() }

// setFastOpen tells the kernel what it may refuse, and remembers it.
func (s *Socket) setFastOpen(k optionKey, b []byte) error {
	set, err := k.setter(b)
	if err != nil {
		return s.invalid("setsockopt", err)
	}
	return s.applyOption(k, func(fd int) error {
		_ = set(fd)
		s.fastOpen.Store(binary.NativeEndian.Uint32(b) != 0)
		return nil
	})
}

// getFastOpen asks the kernel, and says what was set last where that does not tell.
func (s *Socket) getFastOpen(k optionKey, b []byte) error {
	return s.control("getsockopt", func(fd int) error {
		if _, err := k.get(fd, b); err != nil {
			copy(b, intValue(asInt(s.fastOpen.Load())))
		}
		return nil
	})
}

// SetIPProtectionLevel is EOPNOTSUPP: Linux has no such thing (A68).
func (s *Socket) SetIPProtectionLevel(int) error {
	_, err := optionKey{LevelIPv6, OptIPProtectionLevel}.kernel()
	return s.invalid("setsockopt", err)
}
