package testutil

import "testing"

// Reason is why a test cannot run here though the kernel could do what it is about. A test whose kernel lacks a feature
// is skipped by SkipIfUnsupported instead.
type Reason string

// The reasons. Each is what the test would need.
const (
	NeedsSource  Reason = "source tree"   // it reads the repository or the headers, or builds something
	NeedsMachine Reason = "own machine"   // it changes what is the whole machine's
	NeedsTracer  Reason = "tracer"        // it has strace come between it and the kernel
	NeedsModule  Reason = "kernel module" // it needs a part of the kernel that this one was built without
	// It is about kernels that count rings towards RLIMIT_MEMLOCK.
	NeedsLockedRings Reason = "locked rings"

	NeedsPrivilege Reason = "privilege"         // it does what only root may
	NeedsIPv6      Reason = "IPv6"              // it uses IPv6 on loopback
	NeedsCPUs      Reason = "two CPUs"          // it runs something on each of two processors
	NeedsRace      Reason = "race detector"     // it is about the detector
	NeedsNoRace    Reason = "no race detector"  // the detector allocates and maps memory
	NeedsAsan      Reason = "address sanitizer" // it is about the sanitizer
	NeedsNoChecker Reason = "no memory checker" // the checkers change what it is about
	NeedsQEMU      Reason = "QEMU and a kernel" // it boots a virtual machine
	NeedsFiles     Reason = "many descriptors"  // it opens more than the process may
	NeedsDebian    Reason = "Debian"            // it asks a program of Debian
	NeedsIPerf     Reason = "iperf3"            // it has iperf3 send, and there is none to be installed
	NeedsProgram   Reason = "program"           // it runs a program that is not installed
)

// Skip skips the test. Its reason is followed by what was found, in the form that SkipIfUnsupported has.
func Skip(t testing.TB, reason Reason, format string, args ...any) {
	t.Helper()
	t.Skipf(string(reason)+": "+format, args...)
}
