package probe

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// TestSmallMemlockIsEnough leaves room for three of the rings that the probe makes one after the other, some of which
// the kernel still counts when they are closed. What is there without the limit must be found all the same.
func TestSmallMemlockIsEnough(t *testing.T) {
	testutil.NeedsOtherUser(t)
	if !inChild(t) {
		return
	}
	before := run(t)
	testutil.LimitMemlock(t, 54321, 24<<10)
	after := run(t)
	names := []string{IOURingSetup, IOURingEnter, IOURingRegister, PbufRing, FeatNoDrop, SetupDeferTaskrun}
	for _, name := range present(before, names...) {
		require.NoError(t, after[name].Err, name)
	}
}
