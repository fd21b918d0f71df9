package probe

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestClosedRingKeepsOffTheNextAttempt watches the memory of later attempts after those whose ring lay in memory of
// ours. The kernel stores the tail and the flags of such a ring long after its descriptor was closed, which cost
// another attempt four bytes of what it received.
func TestClosedRingKeepsOffTheNextAttempt(t *testing.T) {
	need(t, IOURingSetup, "IORING_SETUP_NO_MMAP")
	p := newProber(t)
	defer p.close()
	// The memory of all attempts is there before, so that a later mapping cannot be in its place.
	mem, err := p.arena()
	require.NoError(t, err)
	for _, try := range []func(*prober) error{tryNoMmap, tryRegisteredFdOnly} {
		require.NoError(t, p.attempt(&check{name: "a ring in memory of ours", since: Version{6, 5}, try: try}))
	}
	mem.Reset()
	pattern := bytes.Repeat([]byte{0xaa}, arenaPages*unix.Getpagesize())
	watched := mem.Bytes(len(pattern), 1)
	copy(watched, pattern)
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		require.True(t, bytes.Equal(pattern, watched), "the kernel wrote to memory of a later attempt")
	}
}
