package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/kernel"
	"github.com/sockring/uring/kerneltest/internal/result"
	"github.com/sockring/uring/kerneltest/internal/vm"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// guestTests is a configuration that boots one kernel with packages of testdata. It skips the test where there is no
// QEMU, or no kernel that was fetched before: a test does not download any.
func guestTests(t *testing.T, packages ...string) config {
	t.Helper()
	if _, err := exec.LookPath(arch.AMD64.QEMU()); err != nil {
		testutil.Skip(t, testutil.NeedsQEMU, "%v; scripts/install-kerneltest-deps installs it", err)
	}
	root, err := repository()
	require.NoError(t, err)
	cfg := config{
		arch: arch.AMD64, root: root, cache: t.TempDir(), kernels: filepath.Join(root, ".cache", "kerneltest", "kernels"),
		lines: []kernel.Line{"6.12"}, modes: []modeOf{{mode: wire.On}}, guests: 1,
		limit: 5 * time.Minute, timeout: time.Minute,
	}
	needKernel(t, cfg)
	for _, p := range packages {
		cfg.packages = append(cfg.packages, "./kerneltest/testdata/"+p)
	}
	return cfg
}

// needKernel skips the test where the kernel of the configuration was not fetched before.
func needKernel(t *testing.T, cfg config) {
	t.Helper()
	if _, err := os.Stat(kernel.Note(cfg.kernels, cfg.arch, cfg.lines[0])); err != nil {
		testutil.Skip(t, testutil.NeedsQEMU, "no kernel to boot: %v; go run ./kerneltest fetches some", err)
	}
}

// boot runs one guest and returns what came of it.
func boot(t *testing.T, cfg config) result.Run {
	t.Helper()
	var out bytes.Buffer
	m, err := prepare(context.Background(), cfg, &out)
	require.NoError(t, err)
	j := job{m.kernels[0], cfg.modes[0].mode}
	m.progress, m.accel = newProgress(&out, m.steps(j)), vm.TCG // which works everywhere
	return m.one(context.Background(), j)
}

// requireFailure requires a failure that is described by the words, and returns it.
func requireFailure(t *testing.T, r result.Run, words string) result.Failure {
	t.Helper()
	var all []string
	for _, f := range r.Failures {
		if strings.Contains(f.String(), words) {
			return f
		}
		all = append(all, f.String())
	}
	require.Fail(t, "no failure says "+words, "%s", strings.Join(all, "\n"))
	return result.Failure{}
}

func TestGuestWhoseTestsPanicAndHang(t *testing.T) {
	cfg := guestTests(t, "passes", "panics", "hangs")
	cfg.timeout = 5 * time.Second
	r := boot(t, cfg)
	require.True(t, strings.HasPrefix(r.Release, "6.12."), r.Release)
	require.Equal(t, 1, r.Passed)
	require.Len(t, r.Skips, 1)
	require.Equal(t, "teleport", r.Skips[0].Feature())
	require.Contains(t, requireFailure(t, r, "panics.TestPanics: failed").Output, "on purpose")
	requireFailure(t, r, "panics.TestComesAfter: neither ran nor was skipped")
	require.Contains(t, requireFailure(t, r, "hangs.TestHangs: failed").Output, "test timed out after 5s")
	for _, f := range r.Failures {
		require.NotContains(t, f.Package, "passes")
	}
	require.JSONEq(t, `"`+r.Release+`"`, string(found(t, r).Process.Kernel))
	require.Contains(t, r.Log, "Linux version "+r.Release)
}

func TestGuestWhoseKernelWarns(t *testing.T) {
	r := boot(t, guestTests(t, "warns"))
	require.Equal(t, 1, r.Passed)
	require.Len(t, r.Failures, 1)
	requireFailure(t, r, "the kernel logged: [")
	require.Contains(t, r.Failures[0].What, "WARNING: on purpose")
}

func TestGuestThatVanishes(t *testing.T) {
	r := boot(t, guestTests(t, "vanishes"))
	requireFailure(t, r, "vanishes.TestVanishes: failed")
	requireFailure(t, r, "went away without an end marker")
	require.False(t, r.Complete())
}

func TestGuestThatHangs(t *testing.T) {
	cfg := guestTests(t, "hangs")
	cfg.limit = 20 * time.Second
	r := boot(t, cfg)
	requireFailure(t, r, "the guest hung: killed after 20s")
}

func TestGuestWhoseProbeIsRefused(t *testing.T) {
	for mode, engine := range map[wire.Mode]string{wire.EPERM: "aio", wire.ENOSYS: "syscall"} {
		t.Run(string(mode), func(t *testing.T) {
			cfg := guestTests(t, "passes")
			cfg.modes[0].mode = mode
			require.Equal(t, engine, found(t, boot(t, cfg)).Engine)
		})
	}
}

// findings are a part of what the probe of the guest found.
type findings struct {
	Process struct{ Kernel json.RawMessage }
	Engine  string
}

func found(t *testing.T, r result.Run) findings {
	t.Helper()
	var f findings
	require.NoError(t, json.Unmarshal(r.Probe, &f))
	return f
}
