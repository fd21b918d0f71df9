package result

import (
	"encoding/json"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// Run is how one kernel did in one mode.
type Run struct {
	Arch    arch.Arch `json:"arch"`              // the processor
	Line    string    `json:"line"`              // the line of kernels, as 6.12
	Mode    wire.Mode `json:"mode"`              //
	Kernel  string    `json:"kernel"`            // the package that it came in
	Release string    `json:"release,omitempty"` // as uname -r
	Accel   string    `json:"accel"`             // how QEMU executed it
	Absent  string    `json:"absent,omitempty"`  // why the kernel has no such mode; then nothing was run
	Seconds float64   `json:"seconds"`

	Passed   int       `json:"passed"` // tests and subtests
	Skipped  int       `json:"skipped"`
	Skips    []Skip    `json:"skips,omitempty"`
	Failures []Failure `json:"failures,omitempty"`

	Packages []Package       `json:"packages,omitempty"`
	Probe    json.RawMessage `json:"probe,omitempty"` // what examples/probe -json found
	Log      string          `json:"log"`             // of the kernel

	complete bool // the guest has done all it was told
}

// Package is what a package did.
type Package struct {
	Path    string            `json:"path"`
	Exit    int               `json:"exit"`
	Seconds float64           `json:"seconds"`
	Tests   map[string]string `json:"tests"` // how each test and subtest ended: pass, fail or skip

	Slow map[string]float64 `json:"slow,omitempty"` // the seconds of tests that took one or more
}

// Skip is a test that did not run.
type Skip struct {
	Package string `json:"package"`
	Test    string `json:"test"`
	Reason  string `json:"reason"`
}

// Feature is what the test would have needed: by convention a reason starts with it.
func (s Skip) Feature() string {
	feature, _, ok := strings.Cut(s.Reason, ": ")
	if !ok {
		return s.Reason
	}
	return feature
}

// Failure is something that makes the run red.
type Failure struct {
	Package string `json:"package,omitempty"`
	Test    string `json:"test,omitempty"`
	What    string `json:"what"`
	Output  string `json:"output,omitempty"` // of the test
}

// String names the failure in a line.
func (f Failure) String() string {
	switch {
	case f.Test != "":
		return f.Package + "." + f.Test + ": " + f.What
	case f.Package != "":
		return f.Package + ": " + f.What
	}
	return f.What
}

func (r *Run) fail(f Failure) { r.Failures = append(r.Failures, f) }

// FailedTests counts the tests among the failures.
func (r *Run) FailedTests() int {
	n := 0
	for _, f := range r.Failures {
		if f.Test != "" {
			n++
		}
	}
	return n
}

// Complete reports whether the guest has run all that it was told, so that what was skipped is known.
func (r *Run) Complete() bool { return r.complete }
