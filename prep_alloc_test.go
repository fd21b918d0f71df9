//go:build linux && cgo

package uring

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// TestPrepDoesNotAllocate covers what steady traffic uses. Paths, and vectors of more than eight buffers, are copied.
func TestPrepDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "the race detector's announcements allocate")
	}
	p, to := make([]byte, 100), SockaddrVsock(2, 3)
	buffers := [][]byte{p, p, p}
	m := &Msghdr{Buffers: buffers, Control: p[:10], To: to}
	from := new(Sockaddr)
	for _, row := range []struct {
		name string
		prep func(s *SQE) error
	}{
		{"PrepSend", func(s *SQE) error { return s.PrepSend(1, p, 0) }},
		{"PrepSendTo", func(s *SQE) error { return s.PrepSendTo(1, p, 0, &to) }},
		{"PrepSendBundle", func(s *SQE) error { return s.PrepSendBundle(1, 2, 0, WithFirstRoundLimit(100)) }},
		{"PrepSendmsg", func(s *SQE) error { return s.PrepSendmsg(1, m, 0) }},
		{"PrepSendZC", func(s *SQE) error { return s.PrepSendZC(1, p, 0, 0) }},
		{"PrepRecv", func(s *SQE) error { return s.PrepRecv(1, p, 0) }},
		{"PrepRecvMultishot", func(s *SQE) error { return s.PrepRecvMultishot(1, 2, 0) }},
		{"PrepRecvmsg", func(s *SQE) error { return s.PrepRecvmsg(1, m, 0) }},
		{"PrepWritev", func(s *SQE) error { return s.PrepWritev(1, buffers, -1) }},
		{"PrepAccept", func(s *SQE) error { return s.PrepAccept(1, from, 0) }},
		{"PrepConnect", func(s *SQE) error { return s.PrepConnect(1, &to) }},
		{"PrepTimeout", func(s *SQE) error { return s.PrepTimeout(time.Second, 0, 0) }},
		{"PrepCancel", func(s *SQE) error { return s.PrepCancel(1, 0) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if err := row.prep(s); err != nil {
					t.Fatal(err)
				}
				s.Link()
			}))
		})
	}
}
