//go:build linux

package faulttest

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// The following does what ip(8) and tc(8) do, which a guest does not have. All of it is for a network namespace of the
// test's own, whose only device is the loopback.

// inNetwork reports whether the test is to go on, in a child process with a network of its own, whose loopback is up.
func inNetwork(t *testing.T) bool {
	t.Helper()
	if !testutil.InChild() {
		child := testutil.ReExecUnshared(t, t.Name(), unix.CLONE_NEWNET)
		require.Zero(t, child.ExitCode, child.Output)
		return false
	}
	setLink(t, true)
	return true
}

// request is a message to the kernel's routing socket in the making.
type request struct{ body []byte }

func (r *request) u8(values ...uint8) { r.body = append(r.body, values...) }

func (r *request) u16(v uint16) { r.body = binary.NativeEndian.AppendUint16(r.body, v) }

func (r *request) u32(values ...uint32) {
	for _, v := range values {
		r.body = binary.NativeEndian.AppendUint32(r.body, v)
	}
}

// attribute adds an attribute whose value is what fill adds.
func (r *request) attribute(kind uint16, fill func()) {
	at := len(r.body)
	r.u16(0)
	r.u16(kind)
	fill()
	binary.NativeEndian.PutUint16(r.body[at:], uint16(len(r.body)-at))
	for len(r.body)%unix.NLA_ALIGNTO != 0 {
		r.u8(0)
	}
}

// ask sends the request and returns what the kernel answers.
func (r *request) ask(t testing.TB, kind, flags uint16) error {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	require.NoError(t, err)
	defer unix.Close(fd)
	var message request
	message.u32(uint32(unix.NLMSG_HDRLEN + len(r.body)))
	message.u16(kind)
	message.u16(unix.NLM_F_REQUEST | unix.NLM_F_ACK | flags)
	message.u32(1, 0)
	message.body = append(message.body, r.body...)
	require.NoError(t, unix.Sendto(fd, message.body, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, unix.NLMSG_HDRLEN+4)
	require.EqualValues(t, unix.NLMSG_ERROR, binary.NativeEndian.Uint16(answer[4:]))
	if errno := int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])); errno != 0 {
		return unix.Errno(-errno)
	}
	return nil
}

// loopback is the index of the loopback in a network of its own.
const loopback = 1

// setLink does what "ip link set lo up" does, or down.
func setLink(t testing.TB, up bool) {
	t.Helper()
	var r request
	r.u8(unix.AF_UNSPEC, 0)
	r.u16(0)
	flags := uint32(0)
	if up {
		flags = unix.IFF_UP
	}
	r.u32(loopback, flags, unix.IFF_UP)
	require.NoError(t, r.ask(t, unix.RTM_NEWLINK, 0))
}

// setMTU does what "ip link set lo mtu N" does.
func setMTU(t testing.TB, mtu uint32) {
	t.Helper()
	var r request
	r.u8(unix.AF_UNSPEC, 0)
	r.u16(0)
	r.u32(loopback, 0, 0)
	r.attribute(unix.IFLA_MTU, func() { r.u32(mtu) })
	require.NoError(t, r.ask(t, unix.RTM_NEWLINK, 0))
}

// addAddress does what "ip address add A/32 dev lo" does.
func addAddress(t testing.TB, address string) {
	t.Helper()
	var r request
	r.u8(unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE)
	r.u32(loopback)
	r.attribute(unix.IFA_LOCAL, func() { r.u8(net.ParseIP(address).To4()...) })
	require.NoError(t, r.ask(t, unix.RTM_NEWADDR, unix.NLM_F_CREATE))
}

// addRoute does what "ip route add TYPE A/32" does, and for unicast adds "dev lo".
func addRoute(t testing.TB, address string, kind uint8) {
	t.Helper()
	var r request
	r.u8(unix.AF_INET, 32, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, kind)
	r.u32(0)
	r.attribute(unix.RTA_DST, func() { r.u8(net.ParseIP(address).To4()...) })
	if kind == unix.RTN_UNICAST {
		r.attribute(unix.RTA_OIF, func() { r.u32(loopback) })
	}
	require.NoError(t, r.ask(t, unix.RTM_NEWROUTE, unix.NLM_F_CREATE))
}

// weather is what sch_netem does to packets. Chances are in percent.
type weather struct {
	loss, double, reorder int
	delay                 time.Duration
	rate                  int // bytes a second, or 0 for no limit
}

// setWeather does what "tc qdisc add dev lo root netem" does. It skips the test where the kernel has no netem.
func setWeather(t testing.TB, w weather) {
	t.Helper()
	const ( // of linux/pkt_sched.h
		tcaKind, tcaOptions                     = 1, 2
		netemReorder, netemRate, netemLatency64 = 3, 6, 10
		queue                                   = 1000
		root                                    = 0xffffffff // TC_H_ROOT
	)
	chance := func(percent int) uint32 { return uint32(uint64(percent) * 0xffffffff / 100) }
	var r request
	r.u8(unix.AF_UNSPEC, 0)
	r.u16(0)
	r.u32(loopback, 0, root, 0)
	r.attribute(tcaKind, func() { r.body = append(r.body, "netem\x00"...) })
	r.attribute(tcaOptions, func() {
		gap := uint32(0)
		if w.reorder > 0 {
			gap = 1
		}
		r.u32(0, queue, chance(w.loss), gap, chance(w.double), 0) // struct tc_netem_qopt
		r.attribute(netemLatency64, func() {
			r.body = binary.NativeEndian.AppendUint64(r.body, uint64(w.delay))
		})
		if w.reorder > 0 {
			r.attribute(netemReorder, func() { r.u32(chance(w.reorder), 0) })
		}
		if w.rate > 0 {
			r.attribute(netemRate, func() { r.u32(uint32(w.rate), 0, 0, 0) })
		}
	})
	err := r.ask(t, unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	if err == unix.ENOENT || err == unix.EOPNOTSUPP {
		testutil.Skip(t, testutil.NeedsModule, "sch_netem: %v", err)
	}
	require.NoError(t, err)
}
