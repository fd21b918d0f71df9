// Package probe finds out what this kernel lets this process do, by trying it. Nothing is decided by the kernel's
// version: distributions port features back, and sandboxes take them away.
//
// Each feature has one of three verdicts: its Err is nil where it works, a *Refusal where it is not available, and
// any other error where the attempt allows no conclusion, for instance for want of file descriptors.
package probe

import "fmt"

// Version is a mainline kernel's. The zero Version stands for none.
type Version struct{ Major, Minor int }

// String returns "6.10", or nothing for the zero Version.
func (v Version) String() string {
	if v == (Version{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// Result is what was found out about one feature.
type Result struct {
	Group string
	Name  string  // the kernel's own name where it has one
	Since Version // the first mainline kernel that has the feature
	Err   error   // nil, a *Refusal, or why there is no conclusion
}

// Refusal says that a feature is not available: what is missing and what would provide it.
type Refusal struct {
	Missing   string
	Provider  string
	OldKernel bool  // a newer kernel is what would provide it
	Err       error // what the attempt returned; may be nil
}

// Error says what is missing and what would provide it.
func (r *Refusal) Error() string {
	if r.Provider == "" {
		return r.Missing
	}
	return r.Missing + " (needs " + r.Provider + ")"
}

// Unwrap returns the error of the attempt.
func (r *Refusal) Unwrap() error { return r.Err }

// Unknown stands for a number that the kernel did not tell.
const Unknown = -1

// Facts are the surroundings of the process that decide about io_uring and Linux AIO. Numbers are Unknown where the
// kernel does not tell them.
type Facts struct {
	Kernel string // the kernel's release

	LiburingHeader  string // the liburing that this binary was compiled against; empty without cgo
	LiburingLibrary string // the liburing that the process runs with; empty without cgo

	Seccomp         int // of the calling thread: 0 off, 1 strict, 2 filter
	IOURingDisabled int // kernel.io_uring_disabled (6.6): 0, 1 or 2
	IOURingGroup    int // kernel.io_uring_group, whose members may use io_uring where IOURingDisabled is 1
	AIOMaxNr, AIONr int // fs.aio-max-nr and fs.aio-nr: how many AIO requests there may be, and are, in the system

	Memlock Limit // RLIMIT_MEMLOCK in bytes
	Nofile  Limit // RLIMIT_NOFILE

	Groups   []int // the thread's effective and supplementary group ids
	SysAdmin bool  // the thread has CAP_SYS_ADMIN, though perhaps only in its user namespace
	IPCLock  bool  // the thread has CAP_IPC_LOCK, which lifts RLIMIT_MEMLOCK
}

// Limit is a soft resource limit, Unknown or Unlimited.
type Limit int64

// Unlimited is RLIM_INFINITY, or a limit too large to matter.
const Unlimited Limit = 1<<63 - 1

// String returns the number, "unlimited" or "unknown".
func (l Limit) String() string {
	switch l {
	case Unlimited:
		return "unlimited"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprint(int64(l))
}
