package sendq

//kerneltest:on it has nothing to do with io_uring

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	small, large := make([]byte, 64), make([]byte, 5000)
	bufs := [][]byte{small, small, small}
	released := 0
	release := func(int, error) { released++ }
	tests := []struct {
		name string
		add  func(q *Queue) error
	}{
		{"Write", func(q *Queue) error { return q.Write(small) }},
		{"Write across chunks", func(q *Queue) error { return q.Write(large) }},
		{"Writev", func(q *Queue) error { return q.Writev(bufs) }},
		{"Reserve and Commit", func(q *Queue) error {
			if _, err := q.Reserve(len(small)); err != nil {
				return err
			}
			return q.Commit(len(small) / 2)
		}},
		{"HandOver", func(q *Queue) error { return q.HandOver(large, release) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue(t, 4096, 1<<20)
			pieces := make([][]byte, 0, 256)
			var failed error
			note := func(err error) {
				if err != nil {
					failed = err
				}
			}
			turn := func() {
				for range 100 {
					note(tt.add(q))
				}
				for q.Buffered() > 0 {
					_, err := q.Take(pieces, cap(pieces), 1<<20)
					note(err)
					note(q.Sent(q.InFlight() / 2)) // then what is left is sent again
					note(q.Sent(min(1, q.InFlight())))
					q.Settle()
				}
			}
			require.Zero(t, testing.AllocsPerRun(10, turn))
			require.NoError(t, failed)
			if tt.name == "HandOver" {
				require.NotZero(t, released)
			}
		})
	}
}
