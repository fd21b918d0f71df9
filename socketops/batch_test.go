//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// TestManySocketsAtOnce has many sockets become ready together, which the engines serve by few system calls.
func TestManySocketsAtOnce(t *testing.T) { // B01, C20
	onEngines(t, func(t *testing.T, e *Engine) {
		pairs := testutil.Fewer(200, 50)
		here, there := make([]*Socket, pairs), make([]*Socket, pairs)
		for i := range pairs {
			var err error
			here[i], there[i], err = e.SocketPair(networks[2].typ)
			require.NoError(t, err)
		}
		for round := range 5 {
			in := make([][8]byte, pairs)
			received, results := outcomes(pairs)
			for i, s := range there {
				s.GoRecv(in[i][:], 0, received)
			}
			sent, sends := outcomes(pairs)
			for i, s := range here {
				s.GoSend([]byte{byte(i), byte(round)}, 0, sent)
			}
			for range pairs {
				require.Equal(t, outcome{2, nil}, <-results)
				require.Equal(t, outcome{2, nil}, <-sends)
			}
			for i := range in {
				require.Equal(t, [8]byte{byte(i), byte(round)}, in[i])
			}
		}
		sent, sends := outcomes(pairs)
		left := make([]int, pairs)
		for i, s := range here {
			left[i] = fill(t, s)
			s.GoSend(make([]byte, 100_000), 0, sent)
		}
		for i, s := range there {
			k, err := s.Recv(t.Context(), make([]byte, left[i]+100_000), WaitAll)
			require.NoError(t, err)
			require.Equal(t, left[i]+100_000, k)
		}
		for range pairs {
			require.Equal(t, outcome{100_000, nil}, <-sends)
		}
	})
}
