//go:build linux

package socketops

import (
	"bytes"
	"encoding/binary"
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
