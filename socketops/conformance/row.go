//go:build linux

package conformance

import (
	"strings"

	"github.com/sockring/uring/socketops"
)

// Row is one row of the specification.
type Row struct {
	ID    string   // A, N or B and two digits
	Title string   // what it is about, in a few words
	Names []string // the entry points of package socketops that it is about: "Socket.Recv", "Classify"
	Way   Way      // how the backends serve it

	// Unsupported is the reason why the operation is an explicit error or absent, or "".
	Unsupported string

	// Test is what shows the row on an Engine. Where a test cannot be had from outside of package socketops, or is not
	// about an Engine, Elsewhere names that instead: "socketops.TestClassifyIsTotal".
	Test      func(t *T)
	Elsewhere string
}

// Way is how the backends serve an operation.
type Way string

// The ways.
const (
	NoKernel Way = "no system call"                 // of the library alone
	Call     Way = "system call"                    // made in the caller's name, alike on all backends
	Polled   Way = "attempt, readiness, attempt"    // what would block waits for readiness on every backend
	Native   Way = "attempt, then the engine's way" // which hands the transfer to the kernel where it can
	Looked   Way = "look, readiness, look"          // the runtime's poller waits, alike on all backends
	Rule     Way = "rule of the queues"             // of what is common to all backends
	Nowhere  Way = "-"                              // on no backend
)

// Rows returns all rows in the order of the specification.
func Rows() []Row {
	var all []Row
	for _, part := range [][]Row{memberRows(), nestedRows(), queueRows()} {
		all = append(all, part...)
	}
	return all
}

// Section is the part of the specification that a row belongs to.
func (r Row) Section() string { return r.ID[:1] }

// TestName is the name of the test that shows the row.
func (r Row) TestName(b socketops.Backend) string {
	if r.Test == nil {
		return r.Elsewhere
	}
	return strings.Join([]string{"TestConformance", string(b), r.ID}, "/")
}
