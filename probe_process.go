package uring

import (
	"runtime"

	"github.com/sockring/uring/internal/probe"
)

// Process is the surroundings of a process that decide what it may do with io_uring and Linux AIO, as they were when
// it was probed. Numbers are -1 where the kernel does not tell them.
type Process struct {
	OS     string // runtime.GOOS
	Arch   string // runtime.GOARCH
	Kernel string // the release, as uname(2) gives it; for people to read, as it decides nothing

	Cgo             bool   // the build has cgo, and so this package's Ring
	LiburingHeader  string // the liburing that this binary was compiled against, as "2.3"; empty without cgo
	LiburingLibrary string // the liburing that the process runs with; empty without cgo

	Seccomp         int   // the mode of the probing thread: 0 off, 1 strict, 2 filter
	IOURingDisabled int   // kernel.io_uring_disabled (6.6): 0 nobody is refused, 1 most, 2 all
	IOURingGroup    int   // kernel.io_uring_group (6.6): whose members 1 does not refuse
	Memlock         int64 // RLIMIT_MEMLOCK in bytes, math.MaxInt64 where unlimited; rings count before 5.12
	Nofile          int64 // RLIMIT_NOFILE, math.MaxInt64 where unlimited
	AIOMaxNr        int   // fs.aio-max-nr: how many AIO requests the system allows
	AIONr           int   // fs.aio-nr: how many of them are taken
}

func processOf(f probe.Facts) Process {
	return Process{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: f.Kernel,
		Cgo: f.LiburingHeader != "", LiburingHeader: f.LiburingHeader, LiburingLibrary: f.LiburingLibrary,
		Seccomp: f.Seccomp, IOURingDisabled: f.IOURingDisabled, IOURingGroup: f.IOURingGroup,
		Memlock: int64(f.Memlock), Nofile: int64(f.Nofile),
		AIOMaxNr: f.AIOMaxNr, AIONr: f.AIONr,
	}
}
