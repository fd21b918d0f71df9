package uring_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/unix"
)

func TestSentinelsAreWhatGoUsersTestFor(t *testing.T) { // SPEC E28
	for _, test := range []struct {
		name     string
		sentinel error
		is       error
	}{
		{"closed", uring.ErrClosed, net.ErrClosed},
		{"unsupported", uring.ErrUnsupported, errors.ErrUnsupported},
		{"no buffers", uring.ErrNoBuffers, unix.ENOBUFS},
		{"no buffer group", uring.ErrNoBufferGroup, unix.ENOENT},
	} {
		t.Run(test.name, func(t *testing.T) {
			wrapped := fmt.Errorf("somewhere: %w", os.NewSyscallError("send", test.sentinel))
			require.ErrorIs(t, wrapped, test.sentinel)
			require.ErrorIs(t, wrapped, test.is)
			require.NotErrorIs(t, test.is, test.sentinel, "the general error must not count as ours")
		})
	}
}

func TestUnsupportedErrorSaysWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   uring.UnsupportedError
		text  string
		major int
		minor int
	}{
		{
			name: "kernel too old",
			err: uring.UnsupportedError{
				Name: "send_bundle", Missing: "IORING_FEAT_RECVSEND_BUNDLE is not set", Provider: "kernel 6.10",
				SinceMajor: 6, SinceMinor: 10,
			},
			text: "uring: send_bundle is not supported: IORING_FEAT_RECVSEND_BUNDLE is not set" +
				" (needs kernel 6.10)",
			major: 6, minor: 10,
		},
		{
			name: "refused by the process's surroundings",
			err: uring.UnsupportedError{
				Name: "io_uring", Missing: "seccomp filter answers EPERM", Err: unix.EPERM,
			},
			text: "uring: io_uring is not supported: seccomp filter answers EPERM: operation not permitted",
		},
		{
			name: "only the remedy known",
			err:  uring.UnsupportedError{Name: "io_uring", Provider: "a build with cgo"},
			text: "uring: io_uring is not supported: needs a build with cgo",
		},
		{
			name: "nothing known",
			err:  uring.UnsupportedError{Name: "napi"},
			text: "uring: napi is not supported",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := fmt.Errorf("setting up: %w", &test.err)
			require.EqualError(t, &test.err, test.text)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, err, uring.ErrUnsupported)
			if test.err.Err != nil {
				require.ErrorIs(t, err, test.err.Err)
			}
			var unsupported *uring.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, test.err.Name, unsupported.Feature())
			major, minor := unsupported.SinceKernel()
			require.Equal(t, test.major, major)
			require.Equal(t, test.minor, minor)
		})
	}
}

func ExampleSockaddrInet() {
	a, err := uring.SockaddrInet(netip.MustParseAddrPort("[2001:db8::1]:443"))
	fmt.Println(a, err)
	ap, ok := a.AddrPort()
	fmt.Println(ap, ok, a.Len(), a.IsZero())
	_, err = uring.SockaddrInet(netip.AddrPort{})
	fmt.Println(err)
	// Output:
	// [2001:db8::1]:443 <nil>
	// [2001:db8::1]:443 true 28 false
	// uring: address invalid AddrPort: invalid argument
}

func ExampleSockaddrUnix() {
	path, err := uring.SockaddrUnix("/run/example.sock")
	fmt.Println(path, err)
	abstract, err := uring.SockaddrAbstract("example")
	fmt.Println(abstract, err)
	for _, a := range []uring.Sockaddr{path, abstract} {
		u, ok := a.Unix()
		fmt.Println(u.Name, u.Abstract, ok, a.Family())
	}
	// Output:
	// /run/example.sock <nil>
	// @example <nil>
	// /run/example.sock false true 1
	// example true true 1
}

func ExampleSockaddrVsock() {
	a := uring.SockaddrVsock(3, 1024)
	cid, port, ok := a.Vsock()
	fmt.Println(a, cid, port, ok)
	// Output: vsock 3:1024 3 1024 true
}

func ExampleSockaddrPacket() {
	a, err := uring.SockaddrPacket(uring.PacketAddr{Protocol: 0x88b5, Ifindex: 2, Halen: 6})
	fmt.Println(a, err)
	p, ok := a.Packet()
	fmt.Println(p.Ifindex, ok)
	// Output:
	// packet 000000000000 interface 2 protocol 0x88b5 <nil>
	// 2 true
}

// An address of a family that has no function of its own passes through as it is.
func ExampleSockaddrRaw() {
	a, err := uring.SockaddrRaw([]byte{38, 0, 1, 2, 3, 4})
	fmt.Println(a.Bytes()[2:], err)
	// Output: [1 2 3 4] <nil>
}

func ExampleProbe() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	engine, refusals := caps.Engine()
	for _, r := range refusals {
		fmt.Println(r.Engine, "cannot be used:", errors.Join(r.Reasons...))
	}
	fmt.Println("using", engine)
}

func ExampleCapabilities_Require() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	err = caps.Require(uring.CanSendBundle, "IORING_OP_ACCEPT")
	if err != nil && !errors.Is(err, uring.ErrUnsupported) {
		fmt.Println("not known, ask again:", err)
	}
	fmt.Println(caps.Require("send_bundel"))
	// Output:
	// uring: there is no feature "send_bundel"
}

func ExampleCapabilities_Features() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	for _, f := range caps.Features() {
		if !f.Supported {
			fmt.Println(f.Group, f.Name, f.Since, f.Err)
		}
	}
}

func ExampleUnsupportedError() {
	err := fmt.Errorf("opening: %w", &uring.UnsupportedError{
		Name: "send_bundle", Missing: "no IORING_FEAT_RECVSEND_BUNDLE", Provider: "kernel 6.10",
		SinceMajor: 6, SinceMinor: 10,
	})
	var unsupported *uring.UnsupportedError
	if errors.As(err, &unsupported) {
		fmt.Println(unsupported.Feature(), "needs", unsupported.Provider)
		fmt.Println(unsupported.Reason())
	}
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// send_bundle needs kernel 6.10
	// no IORING_FEAT_RECVSEND_BUNDLE (needs kernel 6.10)
	// true
}

// What changed after the first Probe, such as a limit that was raised, is seen only by one that tries afresh.
func ExampleProbeAfresh() {
	before, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	after, err := uring.ProbeAfresh()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	changed := 0
	for _, f := range after.Features() {
		if was, _ := before.Feature(f.Name); f.Conclusive() && was.Conclusive() && f.Supported != was.Supported {
			changed++
		}
	}
	fmt.Println("changed:", changed)
	// Output: changed: 0
}

// A report about a machine begins with what surrounds the process.
func ExampleCapabilities_Process() {
	caps, err := uring.Probe()
	if err != nil {
		fmt.Println("some questions stay open:", err)
	}
	p := caps.Process()
	fmt.Println(p.OS == runtime.GOOS, p.Arch == runtime.GOARCH)
	// Output: true true
}

// A report lists the features under the headings of their groups.
func ExampleFeatureGroups() {
	fmt.Println(uring.FeatureGroups())
	// Output: [process setup feature operation register wait buffer send receive aio]
}

// A program decides by what is known, and asks again about what is not.
func ExampleFeature_Conclusive() {
	for _, f := range []uring.Feature{
		{Name: uring.CanSendBundle, Supported: true},
		{Name: uring.CanSendVectorized, Err: uring.ErrUnsupported},
		{Name: uring.CanSendZC, Err: errors.New("too many open files")},
	} {
		fmt.Println(f.Supported, f.Conclusive())
	}
	// Output:
	// true true
	// false true
	// false false
}
