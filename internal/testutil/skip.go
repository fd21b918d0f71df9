package testutil

import (
	"errors"
	"fmt"
	"testing"
)

// Unsupported is an error, wrapping errors.ErrUnsupported, that says what is missing and from which kernel
// on it would be there.
type Unsupported interface {
	error

	// Feature names what is missing.
	Feature() string

	// SinceKernel returns the first kernel that has the feature, or 0, 0 when the kernel's age is not the
	// cause (a sysctl, a seccomp filter, a limit).
	SinceKernel() (major, minor int)
}

// SkipIfUnsupported skips the test when err says that a feature is missing here, and returns otherwise,
// for the caller to handle err. So that a skip cannot hide a regression it fails the test when the running
// kernel is not older than the one that err asks for, and when err wraps errors.ErrUnsupported without
// being an Unsupported.
func SkipIfUnsupported(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, errors.ErrUnsupported) {
		return
	}
	reason, unexpected := judge(err)
	if unexpected != nil {
		t.Fatalf("%v", unexpected)
	}
	t.Skipf("%s", reason)
}

// judge returns the reason to skip a test for an error that wraps errors.ErrUnsupported, or an error that says why
// that would hide a regression.
func judge(err error) (reason string, unexpected error) {
	var missing Unsupported
	if !errors.As(err, &missing) {
		return "", fmt.Errorf("testutil: an unsupported feature that does not say which and since when: %w", err)
	}
	needMajor, needMinor := missing.SinceKernel()
	major, minor := KernelVersion()
	if needMajor != 0 && (major > needMajor || major == needMajor && minor >= needMinor) {
		return "", fmt.Errorf("testutil: %s is missing from kernel %d.%d, though said to be there since %d.%d: %w",
			missing.Feature(), major, minor, needMajor, needMinor, err)
	}
	return fmt.Sprintf("%s: %v", missing.Feature(), err), nil
}
