//go:build linux && cgo

package cring_test

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/cprep"
)

func TestPrepIsLiburings(t *testing.T) {
	buf, addr := make([]byte, 100), make([]byte, 16)
	// SAFETY: compared as numbers, never followed.
	p, a := unsafe.Pointer(&buf[0]), unsafe.Pointer(&addr[0])
	at := func(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) } // SAFETY: see above.
	for _, row := range []struct {
		name string
		prep func(s *cring.SQE) int
		c    string
		args []uint64
	}{
		{
			"send", func(s *cring.SQE) int { return cring.PrepSend(s, 7, p, 100, 0x40) },
			"io_uring_prep_send",
			[]uint64{7, at(p), 100, 0x40},
		},
		{
			"sendto", func(s *cring.SQE) int { return cring.PrepSendTo(s, 7, p, 100, 0x40, a, 16) },
			"io_uring_prep_sendto",
			[]uint64{7, at(p), 100, 0x40, at(a), 16},
		},
		{
			"send_bundle", func(s *cring.SQE) int { return cring.PrepSendBundle(s, 7, 1000, 0x40) },
			"io_uring_prep_send_bundle",
			[]uint64{7, 1000, 0x40},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, want := cring.SQE{UserData: 1}, cring.SQE{UserData: 1}
			require.Zero(t, row.prep(&got))
			require.True(t, cprep.Call(&want, row.c, row.args...))
			require.Equal(t, want, got)
			require.NotZero(t, got.Opcode)
		})
	}
}
