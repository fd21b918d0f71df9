//go:build linux

package conformance

import (
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func bytesAreSet(t *T) { // A62
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		for _, none := range [][]byte{nil, {}} {
			t.is(s.SetOptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, none), unix.EFAULT)
		}
		t.is(s.SetOptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, []byte{1, 0, 0}), unix.EINVAL)
		linger := append(native(1), native(3)...)
		t.ok(s.SetOptionBytes(socketops.LevelSocket, socketops.OptLinger, linger))
		got, err := s.Linger()
		t.ok(err)
		t.equal(socketops.Linger{Enabled: true, Seconds: 3}, got)
	})
	t.Sub("the value is not changed", func(t *T) {
		s := t.socket(udp4)
		for _, o := range []socketops.Option{socketops.OptDontFragment, socketops.OptIPTimeToLive} {
			b := native(1)
			t.ok(s.SetOptionBytes(socketops.LevelIP, o, b))
			t.equal(native(1), b)
		}
		t.equal(unix.IP_PMTUDISC_DO, t.kernel(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER))
		t.is(s.SetOptionBytes(socketops.LevelIP, socketops.OptDontFragment, []byte{1}), unix.EINVAL)
	})
	t.Sub("sources of a group", func(t *T) {
		s := t.socket(udp4)
		mreq := []byte{239, 255, 77, 1, 127, 0, 0, 1, 127, 0, 0, 9}
		for _, o := range []struct {
			option socketops.Option
			size   int
		}{
			{socketops.OptAddSourceMembership, 12},
			{socketops.OptDropSourceMembership, 12},
			{socketops.OptAddMembership, 8},
			{socketops.OptBlockSource, 12},
			{socketops.OptUnblockSource, 12},
			{socketops.OptDropMembership, 8},
		} {
			t.ok(s.SetOptionBytes(socketops.LevelIP, o.option, mreq[:o.size]))
		}
	})
	t.Sub("the time-outs of the package stay", func(t *T) {
		s := t.socket(tcp4)
		want := make([]byte, 16)
		size, err := s.OptionBytes(socketops.LevelSocket, socketops.OptReceiveTimeout, want)
		t.ok(err)
		copy(want, native(9)) // seconds, where the machine has the low bytes first
		t.ok(s.SetOptionBytes(socketops.LevelSocket, socketops.OptReceiveTimeout, want[:size]))
		t.equal(time.Duration(0), s.ReadTimeout())
		got := make([]byte, 16)
		_, err = s.OptionBytes(socketops.LevelSocket, socketops.OptReceiveTimeout, got)
		t.ok(err)
		t.equal(want, got)
	})
	t.Sub("the length of reuse", func(t *T) {
		s := t.socket(tcp4)
		for _, o := range []socketops.Option{socketops.OptReuseAddress, socketops.OptExclusiveAddressUse} {
			for _, size := range []int{1, 3, 5} {
				t.is(s.SetOptionBytes(socketops.LevelSocket, o, make([]byte, size)), unix.EINVAL)
			}
		}
	})
}

func rawOptionsAreSet(t *T) { // A63
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		t.is(s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, nil), unix.EFAULT)
		t.is(s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, []byte{}), unix.EINVAL) // says the kernel
		t.is(s.SetRawOption(unix.SOL_SOCKET, 9999, native(1)), unix.ENOPROTOOPT)
		t.equal(false, s.Exposed())
		t.ok(s.SetRawOption(unix.SOL_SOCKET, unix.SO_PRIORITY, native(3)))
		t.equal(3, t.kernel(s, unix.SOL_SOCKET, unix.SO_PRIORITY))
		t.equal(true, s.Exposed())
		t.ok(s.Close())
		t.is(s.SetRawOption(unix.SOL_SOCKET, unix.SO_PRIORITY, native(3)), socketops.ErrClosed)
	})
}

func rawOptionsAreRead(t *T) { // A71
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		room := []byte{9, 9, 9, 9, 9, 9, 9, 9}
		k, err := s.RawOption(unix.SOL_SOCKET, unix.SO_DOMAIN, room)
		t.ok(err)
		t.equal(native(int(n.family)), room[:k])
		t.equal([]byte{9, 9, 9, 9}, room[4:])
		k, err = s.RawOption(unix.SOL_SOCKET, unix.SO_DOMAIN, room[:2])
		t.ok(err)
		t.equal(2, k)
		_, err = s.RawOption(unix.SOL_SOCKET, 9999, room)
		t.is(err, unix.ENOPROTOOPT)
		t.equal(false, s.Exposed())
		t.ok(s.Close())
		_, err = s.RawOption(unix.SOL_SOCKET, unix.SO_DOMAIN, room)
		t.is(err, socketops.ErrClosed)
	})
}

func lingersAreSet(t *T) { // A66
	t.on(network.tcp, func(t *T, n network) {
		s := t.socket(n)
		for _, seconds := range []int{0, 1, 65535} {
			t.ok(s.SetLinger(socketops.Linger{Enabled: true, Seconds: seconds}))
			got, err := s.Linger()
			t.ok(err)
			t.equal(socketops.Linger{Enabled: true, Seconds: seconds}, got)
		}
		for _, seconds := range []int{-1, 65536} {
			t.is(s.SetLinger(socketops.Linger{Enabled: true, Seconds: seconds}), unix.EINVAL)
			t.ok(s.SetLinger(socketops.Linger{Seconds: seconds})) // which do not matter
		}
	})
	t.Sub("the peer is gone", func(t *T) {
		a, b := t.pair(tcp4)
		t.ok(b.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(b.Close())
		_, err := a.Recv(t.Late(), make([]byte, 1), 0)
		t.is(err, unix.ECONNRESET)
		t.ok(a.SetLinger(socketops.Linger{Enabled: true}))
	})
}

func lingersAreRead(t *T) { // A74
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		got, err := s.Linger()
		t.ok(err)
		t.equal(socketops.Linger{}, got)
		t.ok(s.SetRawOption(unix.SOL_SOCKET, unix.SO_LINGER, append(native(7), native(5)...)))
		got, err = s.Linger()
		t.ok(err)
		t.equal(socketops.Linger{Enabled: true, Seconds: 5}, got)
		t.ok(s.Close())
		_, err = s.Linger()
		t.is(err, socketops.ErrClosed)
	})
}

func protectionLevelIsNotOfLinux(t *T) { // A68
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		err := a.SetIPProtectionLevel(10)
		t.is(err, errors.ErrUnsupported)
		t.is(err, unix.EOPNOTSUPP)
		t.is(a.SetOptionInt(socketops.LevelIPv6, socketops.OptIPProtectionLevel, 10), errors.ErrUnsupported)
		t.equal(false, a.Exposed())
		_, err = a.Send(t.Late(), []byte("still connected"), 0)
		t.ok(err)
		t.equal("still connected", t.message(b))
	})
}

// refused makes a socket to which something that it sent was refused.
func (t *T) refused() *socketops.Socket {
	t.Helper()
	gone, at := t.bound(udp4)
	s := t.socket(udp4)
	t.ok(s.TryConnect(at))
	t.ok(gone.Close())
	t.until(func() bool {
		_, _ = s.TrySend([]byte("x"), 0) // again where the kernel sent too many refusals of late
		ready, err := s.Poll(t.Late(), socketops.PollError, instants)
		t.ok(err)
		return ready
	})
	return s
}

func numbersAreRead(t *T) { // A69
	for _, o := range numbered {
		t.Sub(o.name, func(t *T) {
			s := t.socket(o.on)
			t.ok(s.SetOptionInt(o.level, o.option, o.set))
			got, err := s.OptionInt(o.level, o.option)
			t.ok(err)
			t.equal(o.set, got)
			t.ok(s.Close())
			_, err = s.OptionInt(o.level, o.option)
			t.is(err, socketops.ErrClosed)
		})
	}
	for _, level := range []socketops.Level{socketops.LevelSocket, socketops.LevelIP, socketops.LevelUDP, 0} {
		t.Sub("the error, at "+level.String(), func(t *T) {
			s := t.refused()
			got, err := s.OptionInt(level, socketops.OptError)
			t.ok(err)
			t.equal(int(unix.ECONNREFUSED), got)
			t.ok(s.SocketError()) // The kernel has forgotten it with that.
		})
	}
	t.Sub("SocketError", func(t *T) {
		s := t.refused()
		t.is(s.SocketError(), unix.ECONNREFUSED)
		t.ok(s.SocketError())
		t.ok(s.Close())
		t.is(s.SocketError(), socketops.ErrClosed)
	})
	t.Sub("time-outs are those of the package", func(t *T) {
		s := t.socket(udp4)
		for d, want := range map[time.Duration]int{
			0: 0, 1: 1, 2500 * time.Microsecond: 3, time.Second: 1000, math.MaxInt64: math.MaxInt32,
		} {
			t.ok(s.SetReadTimeout(d))
			t.ok(s.SetWriteTimeout(d))
			for _, o := range []socketops.Option{socketops.OptReceiveTimeout, socketops.OptSendTimeout} {
				got, err := s.OptionInt(socketops.LevelSocket, o)
				t.ok(err)
				t.equal(want, got)
			}
		}
	})
	t.Sub("fast open is what was wished where the kernel does not tell", func(t *T) {
		s := t.socket(udp4)
		for _, want := range []int{1, 0} {
			t.ok(s.SetFastOpen(want == 1))
			got, err := s.OptionInt(socketops.LevelTCP, socketops.OptFastOpen)
			t.ok(err)
			t.equal(want, got)
		}
	})
	t.Sub("the type", func(t *T) {
		got, err := t.socket(udp4).OptionInt(socketops.LevelSocket, socketops.OptType)
		t.ok(err)
		t.equal(unix.SOCK_DGRAM, got)
	})
	t.Sub("not of Linux", func(t *T) {
		_, err := t.socket(udp4).OptionInt(socketops.LevelUDP, socketops.OptNoChecksum)
		t.is(err, errors.ErrUnsupported)
		_, err = t.socket(udp6).OptionInt(socketops.LevelIPv6, socketops.OptHopLimit)
		t.is(err, unix.ENOPROTOOPT)
	})
}

func bytesAreRead(t *T) { // A70
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		t.ok(s.SetKeepAlive(true))
		b := []byte{9, 9, 9, 9, 9, 9, 9}
		k, err := s.OptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, b[:2])
		t.ok(err)
		t.equal(2, k)
		t.equal(append(native(1)[:2], 9, 9, 9, 9, 9), b) // cut
		k, err = s.OptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, b)
		t.ok(err)
		t.equal(append(native(1), 9, 9, 9), b)
		t.equal(4, k)
		for _, none := range [][]byte{nil, {}} {
			k, err := s.OptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, none)
			t.ok(err)
			t.equal(0, k)
		}
		for size, want := range map[int]error{0: unix.EINVAL, 3: unix.EINVAL, 5: unix.EINVAL} {
			_, err := s.OptionBytes(socketops.LevelSocket, socketops.OptReuseAddress, make([]byte, size))
			t.is(err, want)
			_, err = s.OptionBytes(socketops.LevelSocket, socketops.OptType, make([]byte, size))
			t.is(err, unix.EOPNOTSUPP)
		}
		t.ok(s.Close())
		_, err = s.OptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, b)
		t.is(err, socketops.ErrClosed)
	})
	for size, want := range map[int][]byte{
		0: {}, 2: native(int(unix.ECONNREFUSED))[:2], 4: native(int(unix.ECONNREFUSED)),
	} {
		t.Sub("the error, "+string(rune('0'+size))+" bytes of it", func(t *T) {
			s := t.refused()
			b := make([]byte, size)
			k, err := s.OptionBytes(socketops.LevelIP, socketops.OptError, b)
			t.ok(err)
			t.equal(want, b[:k])
			t.ok(s.SocketError()) // which is forgotten in any case
		})
	}
	t.Sub("what is not the kernel's is cut, too", func(t *T) {
		s := t.socket(udp4)
		t.ok(s.SetDontFragment(true))
		b := make([]byte, 2)
		k, err := s.OptionBytes(socketops.LevelIP, socketops.OptDontFragment, b)
		t.ok(err)
		t.equal(native(1)[:2], b[:k])
	})
}
