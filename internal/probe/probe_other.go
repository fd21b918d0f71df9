//go:build !linux

package probe

import (
	"runtime"

	"github.com/sockring/uring/internal/unix"
)

// Run finds io_uring and Linux AIO missing: this is not Linux.
func Run(func(name string) (Result, bool)) (Facts, []Result) {
	facts := Facts{
		Seccomp: Unknown, IOURingDisabled: Unknown, IOURingGroup: Unknown, AIOMaxNr: Unknown, AIONr: Unknown,
		Memlock: Unknown, Nofile: Unknown,
	}
	refusal := &Refusal{Missing: "this is " + runtime.GOOS, Provider: "Linux"}
	var results []Result
	for _, name := range []string{IOURingSetup, Cgo, Liburing} {
		results = append(results, Result{Group: GroupProcess, Name: name, Err: refusal})
	}
	return facts, append(results, Result{Group: GroupAIO, Name: AIOSetup, Err: refusal})
}

// ExplainSetup returns the errno: nothing here asks a kernel for a ring.
func ExplainSetup(errno unix.Errno) error { return errno }

// ExplainRegister returns the errno: nothing here has a ring to register with.
func ExplainRegister(errno unix.Errno) error { return errno }
