//go:build linux

package socketops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetOptionInt wraps setsockopt(2) for an option whose value is a number, of 32 bits: others are EINVAL. An option
// that Linux does not have is EOPNOTSUPP, and the socket can be used on (N18).
//
// The two time-outs are milliseconds, as SetReadTimeout and SetWriteTimeout have them. OptMulticastInterface of
// LevelIP is an address as it is in memory, first byte first, or 0.x.y.z with the number of an interface (A61).
// OptFastOpen is remembered, and what the kernel says about it is not an error (N31).
func (s *Socket) SetOptionInt(level Level, name Option, v int) error {
	k := optionKey{level, name}
	switch k {
	case optionKey{LevelSocket, OptReceiveTimeout}, optionKey{LevelSocket, OptSendTimeout}:
		if v < 0 || v > math.MaxInt32 {
			return s.invalid("setsockopt", unix.EINVAL)
		}
		return s.setTimeout(k, time.Duration(v)*time.Millisecond)
	case optionKey{LevelIP, OptMulticastInterface}:
		b, err := multicastInterface(v)
		if err != nil {
			return s.invalid("setsockopt", err)
		}
		return s.setOption(k, b)
	}
	if v != int(int32(v)) {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	if k == (optionKey{LevelTCP, OptFastOpen}) {
		return s.setFastOpen(k, intValue(v))
	}
	return s.setOption(k, intValue(v))
}

// OptionInt wraps getsockopt(2) for an option whose value is a number. OptError is the errno of the error that the
// socket has come to, or 0, at any level; the kernel forgets it with that, see SocketError. The time-outs are
// milliseconds, rounded up, and what SetReadTimeout and SetWriteTimeout have set. OptFastOpen is what was set last
// where the kernel does not tell (N31).
func (s *Socket) OptionInt(level Level, name Option) (int, error) {
	k := optionKey{level, name}
	switch k {
	case optionKey{LevelSocket, OptReceiveTimeout}:
		return s.milliseconds(s.ReadTimeout())
	case optionKey{LevelSocket, OptSendTimeout}:
		return s.milliseconds(s.WriteTimeout())
	}
	var b [4]byte
	var err error
	if k == (optionKey{LevelTCP, OptFastOpen}) {
		err = s.getFastOpen(k, b[:])
	} else {
		_, err = s.getOption(k, b[:])
	}
	return int(int32(binary.NativeEndian.Uint32(b[:]))), err
}

// SetOptionBytes wraps setsockopt(2) for an option whose value is a structure of the kernel's, such as struct linger.
// An empty value is EFAULT. A number that is shorter than 4 bytes is EINVAL, though some options of LevelIP take one
// byte. Nothing but the kernel is told: the time-outs of this package are what SetReadTimeout and SetWriteTimeout have
// set. The value is not changed (A62).
func (s *Socket) SetOptionBytes(level Level, name Option, b []byte) error {
	if len(b) == 0 {
		return s.invalid("setsockopt", unix.EFAULT)
	}
	return s.setOption(optionKey{level, name}, b)
}

// OptionBytes wraps getsockopt(2): it reads as much of an option's value as b holds, and returns how much that is.
// Where b is empty the call is made all the same, and reads nothing, though OptError is forgotten with it. Two
// options want exactly 4 bytes: OptReuseAddress (also as OptExclusiveAddressUse), or it is EINVAL, and OptType, or it
// is EOPNOTSUPP (A70).
func (s *Socket) OptionBytes(level Level, name Option, b []byte) (int, error) {
	return s.getOption(optionKey{level, name}, b)
}

// SetRawOption wraps setsockopt(2) with the kernel's own numbers of level and option, and nothing in between. A nil
// value is EFAULT, an empty one is not. Then it is not known any more what was set: see Exposed.
func (s *Socket) SetRawOption(level, name int, b []byte) error {
	if b == nil {
		return s.invalid("setsockopt", unix.EFAULT)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control("setsockopt", func(fd int) error { return sysSetsockopt(fd, kernelOption{level, name}, b) })
	if err == nil {
		s.state.options.exposed = true
	}
	return err
}

// RawOption wraps getsockopt(2) with the kernel's own numbers of level and option, and returns how many bytes of b
// hold the value.
func (s *Socket) RawOption(level, name int, b []byte) (n int, err error) {
	err = s.control("getsockopt", func(fd int) error {
		n, err = sysGetsockopt(fd, kernelOption{level, name}, b)
		return err
	})
	return n, err
}

// SocketError returns the error that the socket has come to on its own, such as the refusal of what a datagram socket
// sent, or nil. The kernel forgets it with that: SO_ERROR.
func (s *Socket) SocketError() error {
	errno, err := s.OptionInt(LevelSocket, OptError)
	if err != nil || errno == 0 {
		return err
	}
	return opError("SO_ERROR", unix.Errno(errno))
}

// setOption sets an option and remembers that.
func (s *Socket) setOption(k optionKey, b []byte) error {
	apply, err := k.setter(b)
	if err != nil {
		return s.invalid("setsockopt", err)
	}
	return s.applyOption(k, apply)
}

// setter returns what sets the option on a descriptor, or the error of a value that the kernel is not asked about.
func (k optionKey) setter(b []byte) (func(fd int) error, error) {
	o, err := k.kernel()
	if err != nil {
		return nil, err
	}
	switch k {
	case optionKey{LevelSocket, OptReuseAddress}, optionKey{LevelSocket, OptExclusiveAddressUse}:
		if len(b) != 4 {
			return nil, unix.EINVAL
		}
		v := binary.NativeEndian.Uint32(b)
		if k.name == OptExclusiveAddressUse {
			if v > 1 {
				return nil, unix.EINVAL
			}
			v = 1 - v
		}
		return func(fd int) error { return setReuse(fd, int(int32(v))) }, nil
	case optionKey{LevelIP, OptDontFragment}:
		if len(b) < 4 {
			return nil, unix.EINVAL
		}
		discover := unix.IP_PMTUDISC_DONT
		if binary.NativeEndian.Uint32(b) != 0 {
			discover = unix.IP_PMTUDISC_DO
		}
		b = intValue(discover)
	default:
		b = bytes.Clone(b) // which is still there when a new descriptor is to be as this one
	}
	return func(fd int) error { return sysSetsockopt(fd, o, b) }, nil
}

// setReuse sets both of the kernel's options that let an address be used again (N27).
func setReuse(fd, v int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, v); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, v)
}

// getOption reads an option.
func (s *Socket) getOption(k optionKey, b []byte) (n int, err error) {
	if k.name == OptError {
		k.level = LevelSocket // N30
	}
	err = s.control("getsockopt", func(fd int) error {
		n, err = k.get(fd, b)
		return err
	})
	return n, err
}

// get reads the option of a descriptor.
func (k optionKey) get(fd int, b []byte) (int, error) {
	o, err := k.kernel()
	if err != nil {
		return 0, err
	}
	switch k {
	case optionKey{LevelSocket, OptReuseAddress}, optionKey{LevelSocket, OptExclusiveAddressUse}:
		if len(b) != 4 {
			return 0, unix.EINVAL
		}
		v, err := unix.GetsockoptInt(fd, o.level, o.name)
		if err != nil {
			return 0, err
		}
		return copy(b, intValue(asInt((v != 0) == (k.name == OptReuseAddress)))), nil
	case optionKey{LevelSocket, OptType}:
		if len(b) != 4 {
			return 0, unix.EOPNOTSUPP
		}
	case optionKey{LevelIP, OptDontFragment}:
		v, err := unix.GetsockoptInt(fd, o.level, o.name)
		if err != nil {
			return 0, err
		}
		return copy(b, intValue(asInt(v == unix.IP_PMTUDISC_DO))), nil
	}
	return sysGetsockopt(fd, o, b)
}

// sysSetsockopt wraps setsockopt(2).
func sysSetsockopt(fd int, o kernelOption, b []byte) error {
	// SAFETY: the kernel reads len(b) bytes of the slice's own memory during the call.
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(o.level), uintptr(o.name),
		uintptr(addressOf(b)), uintptr(len(b)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// sysGetsockopt wraps getsockopt(2).
func sysGetsockopt(fd int, o kernelOption, b []byte) (int, error) {
	size := uint32(min(len(b), math.MaxInt32))
	// SAFETY: the kernel writes at most size bytes of the slice's own memory, and size, during the call.
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(o.level), uintptr(o.name),
		uintptr(addressOf(b)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(size), nil
}

// intValue is a number as the kernel takes it.
func intValue(v int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

// asInt is a yes or no as the kernel takes it.
func asInt(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

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

// SetReadTimeout sets how long a receive that begins from now on may wait, 0 for as long as it takes; less is EINVAL.
// SO_RCVTIMEO is set too, for others that use the descriptor, and does not matter to this package.
func (s *Socket) SetReadTimeout(d time.Duration) error {
	return s.setTimeout(optionKey{LevelSocket, OptReceiveTimeout}, d)
}

// SetWriteTimeout is SetReadTimeout for sends, with SO_SNDTIMEO.
func (s *Socket) SetWriteTimeout(d time.Duration) error {
	return s.setTimeout(optionKey{LevelSocket, OptSendTimeout}, d)
}

// setTimeout sets a time-out, and stores it only where the kernel has taken it, too (A61).
func (s *Socket) setTimeout(k optionKey, d time.Duration) error {
	if d < 0 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	name, timeout := unix.SO_RCVTIMEO, &s.readTimeout
	if k.name == OptSendTimeout {
		name, timeout = unix.SO_SNDTIMEO, &s.writeTimeout
	}
	const most = math.MaxInt64 - int64(time.Microsecond) // as NsecToTimeval rounds up
	tv := unix.NsecToTimeval(min(int64(d), most))
	return s.applyOption(k, func(fd int) error {
		err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, name, &tv)
		if err == nil {
			timeout.Store(int64(d))
		}
		return err
	})
}

// milliseconds is a time-out as an option, rounded up so that one of less than a millisecond is not none.
func (s *Socket) milliseconds(d time.Duration) (int, error) {
	if s.isClosed() {
		return 0, opError("getsockopt", ErrClosed)
	}
	return int(min(roundUp(d, time.Millisecond), math.MaxInt32)), nil
}

// options is what a socket remembers of the options that were set, so that another descriptor can take its place.
type options struct {
	set     []setOption // in the order in which they were set, each once
	exposed bool        // something was done that is not remembered
}

// setOption is an option that was set.
type setOption struct {
	key   optionKey
	apply func(fd int) error // sets on a descriptor what was asked for, which is not what the kernel tells of it
}

// trackedOptions are those that a socket remembers (N34): what the managed runtimes do, less what Linux does not have
// and what can be read only.
var trackedOptions = map[optionKey]bool{
	{LevelSocket, OptDebug}:               true,
	{LevelSocket, OptReuseAddress}:        true,
	{LevelSocket, OptKeepAlive}:           true,
	{LevelSocket, OptDontRoute}:           true,
	{LevelSocket, OptLinger}:              true,
	{LevelSocket, OptOutOfBandInline}:     true,
	{LevelSocket, OptExclusiveAddressUse}: true,
	{LevelSocket, OptSendBuffer}:          true,
	{LevelSocket, OptReceiveBuffer}:       true,
	{LevelSocket, OptReceiveLowWater}:     true,
	{LevelSocket, OptSendTimeout}:         true,
	{LevelSocket, OptReceiveTimeout}:      true,
	{LevelIP, OptTypeOfService}:           true,
	{LevelIP, OptIPTimeToLive}:            true,
	{LevelIPv6, OptIPv6Only}:              true,
	{LevelTCP, OptNoDelay}:                true,
	{LevelTCP, OptTCPKeepAliveIdle}:       true,
	{LevelTCP, OptTCPKeepAliveInterval}:   true,
	{LevelTCP, OptTCPKeepAliveCount}:      true,
	{LevelTCP, OptFastOpen}:               true,
}

// applyOption sets an option, and remembers it where that worked. mu is held meanwhile, and the descriptor looked up
// under it: a descriptor that takes this one's place gets the option from replay, or by itself.
func (s *Socket) applyOption(k optionKey, apply func(fd int) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control("setsockopt", apply)
	if err == nil {
		s.state.options.remember(k, apply)
	}
	return err
}

// remember notes that an option was set. The last of those that say the same thing differently counts, so the order is
// kept.
func (o *options) remember(k optionKey, apply func(fd int) error) {
	if !trackedOptions[k] {
		o.exposed = true
		return
	}
	for i, known := range o.set {
		if known.key == k {
			o.set = append(o.set[:i], o.set[i+1:]...)
			break
		}
	}
	o.set = append(o.set, setOption{k, apply})
}

// Exposed reports whether something was done to the socket's descriptor that another would not take over: an option
// was set that is not remembered, such as SetBroadcast or one by SetRawOption, or the descriptor was handed out by
// Fd. A connect that tries several addresses refuses such a socket, and a Disconnect for reuse loses what was set so.
func (s *Socket) Exposed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.options.exposed
}

// Fd returns the descriptor, which stays the socket's: it is valid until Close, or a Disconnect for reuse. It is in
// non-blocking mode, and the socket is Exposed from then on.
func (s *Socket) Fd() (fd int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.control("fd", func(current int) error {
		fd = current
		return nil
	})
	if err != nil {
		return -1, err
	}
	s.state.options.exposed = true
	return fd, nil
}

// replay sets on a descriptor that takes the place of the socket's what was set on that, as it was asked for: the
// kernel tells of a buffer twice the size (G08). The descriptor is the current one already, or an option that is set
// at the same time can be lost. Options that fail do not keep the others from being set.
func (s *Socket) replay(fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, o := range s.state.options.set {
		errs = append(errs, o.apply(fd))
	}
	if s.packetInfo.Load() == packetInfoOn {
		errs = append(errs, s.tellPacketInfo(fd, true))
	}
	return opError("setsockopt", errors.Join(errs...))
}
