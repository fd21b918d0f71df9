package testutil

import (
	"errors"
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
	var missing Unsupported
	if !errors.As(err, &missing) {
		t.Fatalf("testutil: an unsupported feature that does not say which and since when: %v", err)
	}
	needMajor, needMinor := missing.SinceKernel()
	major, minor := KernelVersion()
	if needMajor != 0 && (major > needMajor || major == needMajor && minor >= needMinor) {
		t.Fatalf("testutil: %s is missing from kernel %d.%d, though said to be there since %d.%d: %v",
			missing.Feature(), major, minor, needMajor, needMinor, err)
	}
	t.Skipf("%s: %v", missing.Feature(), err)
}
