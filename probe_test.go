package uring_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

// TestProbe holds what Probe says to the running kernel's version. It names the features that the library itself
// rests on, so that none of them can get lost.
func TestProbe(t *testing.T) {
	caps, err := uring.Probe()
	require.NoError(t, err)
	major, minor := testutil.KernelVersion()
	groups := uring.FeatureGroups()
	for _, f := range caps.Features() {
		require.Contains(t, groups, f.Group, f.Name)
		require.Equal(t, f.Supported, f.Err == nil, f.Name)
		require.True(t, f.Conclusive(), f.Name)
		var u *uring.UnsupportedError
		if errors.As(f.Err, &u) {
			require.Equal(t, f.Name, u.Feature())
			sinceMajor, sinceMinor := u.SinceKernel()
			if sinceMajor != 0 && (major > sinceMajor || major == sinceMajor && minor >= sinceMinor) {
				t.Errorf("kernel %d.%d should have %s: %v", major, minor, f.Name, f.Err)
			}
		}
		require.Equal(t, f.Err, caps.Require(f.Name))
	}
	order := slices.IsSortedFunc(caps.Features(), func(a, b uring.Feature) int {
		return slices.Index(groups, a.Group) - slices.Index(groups, b.Group)
	})
	require.True(t, order, "features are not in the order of their groups")
	for _, name := range []string{
		uring.CanSetup, uring.CanEnter, uring.CanRegister, uring.CanLiburing, uring.CanSparseFiles, uring.CanSparseBuffers,
		uring.CanWaitTimeout, uring.CanWaitMinTimeout, uring.CanWaitAbsolute, uring.CanCancelAny, uring.CanSendPollFirst,
		uring.CanSendTo, uring.CanSendSelect, uring.CanSendBundle, uring.CanSendVectorized, uring.CanSendZC,
		uring.CanSendmsgZC, uring.CanRecvSelect, uring.CanRecvMultishot, uring.CanRecvBundle, uring.CanAcceptMultishot,
		uring.CanPollMultishot, uring.CanAIO, uring.CanAIORing, uring.CanAIOSubmit, uring.CanAIOPoll,
		uring.CanAIOPgetevents, uring.CanCgo,
		"IORING_SETUP_SINGLE_ISSUER", "IORING_SETUP_DEFER_TASKRUN", "IORING_SETUP_NO_SQARRAY", "IORING_FEAT_NODROP",
		"IORING_FEAT_RECVSEND_BUNDLE", "IORING_OP_SEND", "IORING_OP_RECV_ZC", "IORING_REGISTER_RING_FDS",
		"IORING_REGISTER_PBUF_RING", "IORING_REGISTER_PBUF_STATUS", "IOU_PBUF_RING_INC", "IORING_REGISTER_EVENTFD",
		"IORING_REGISTER_RESTRICTIONS", "IORING_REGISTER_IOWQ_MAX_WORKERS", "IORING_REGISTER_NAPI",
		"IORING_REGISTER_SYNC_CANCEL",
	} {
		_, ok := caps.Feature(name)
		require.True(t, ok, name)
	}
}

func TestProbedProcess(t *testing.T) {
	caps, err := uring.Probe()
	require.NoError(t, err)
	p := caps.Process()
	require.Equal(t, runtime.GOOS, p.OS)
	require.Equal(t, runtime.GOARCH, p.Arch)
	require.NotEmpty(t, p.Kernel)
	require.Equal(t, p.Cgo, p.LiburingHeader != "")
	require.Equal(t, p.Cgo, p.LiburingLibrary != "")
	require.Equal(t, p.Cgo, caps.Require(uring.CanCgo) == nil)
}

func TestRequireOfUnknownFeature(t *testing.T) {
	caps, err := uring.Probe()
	require.NoError(t, err)
	err = caps.Require("send_bundel")
	require.EqualError(t, err, `uring: there is no feature "send_bundel"`)
	require.NotErrorIs(t, err, errors.ErrUnsupported, "a typing error must not skip a test")
}

// TestProbeWithoutCgo runs TestProbedWithoutCgo in a build without cgo.
func TestProbeWithoutCgo(t *testing.T) {
	testutil.InSource(t)
	test := exec.Command("go", "test", "-count=1", "-v", "-run", "^TestProbedWithoutCgo$", ".")
	test.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := test.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestProbedWithoutCgo")
}
