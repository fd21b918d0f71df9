package race_test

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/race"
)

func TestEmptyRangeTakesNil(t *testing.T) {
	race.ReadRange(nil, 0)
	race.WriteRange(nil, 0)
	race.ReadRange(nil, -1)
	race.WriteRange(nil, -1)
}

func TestAnnotationsDoNotAllocate(t *testing.T) {
	buf := make([]byte, 64)
	p := unsafe.Pointer(&buf[0]) // SAFETY: an address inside a live slice, used within its length.
	require.Zero(t, testing.AllocsPerRun(100, func() {
		race.Release(p)
		race.ReleaseMerge(p)
		race.Acquire(p)
		race.ReadRange(p, len(buf))
		race.WriteRange(p, len(buf))
	}))
}
