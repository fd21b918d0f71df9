package probe

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// source is where facts come from, so that tests can make up a machine.
type source struct {
	readFile  func(name string) ([]byte, error)
	getrlimit func(resource int, limit *unix.Rlimit) error
	uname     func(*unix.Utsname) error
}

var system = source{readFile: os.ReadFile, getrlimit: unix.Getrlimit, uname: unix.Uname}

// facts looks at the surroundings of the calling thread.
func (s source) facts() Facts {
	f := Facts{
		Seccomp:         Unknown,
		IOURingDisabled: s.number("/proc/sys/kernel/io_uring_disabled"),
		IOURingGroup:    s.number("/proc/sys/kernel/io_uring_group"),
		AIOMaxNr:        s.number("/proc/sys/fs/aio-max-nr"),
		AIONr:           s.number("/proc/sys/fs/aio-nr"),
		Memlock:         s.limit(unix.RLIMIT_MEMLOCK),
		Nofile:          s.limit(unix.RLIMIT_NOFILE),
	}
	if cring.Supported {
		f.LiburingHeader = liburing(cring.HeaderVersion())
		f.LiburingLibrary = liburing(cring.LibraryVersion())
	}
	var name unix.Utsname
	if s.uname(&name) == nil {
		f.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	s.status(&f)
	return f
}

func liburing(major, minor int) string { return Version{major, minor}.String() }

// number reads a file that holds one number. kernel.io_uring_group is -1 for no group, which is Unknown as well.
func (s source) number(name string) int {
	text, err := s.readFile(name)
	if err != nil {
		return Unknown
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return Unknown
	}
	return n
}

func (s source) limit(resource int) Limit {
	var limit unix.Rlimit
	if s.getrlimit(resource, &limit) != nil {
		return Unknown
	}
	if limit.Cur > math.MaxInt64 {
		return Unlimited
	}
	return Limit(limit.Cur)
}

// status reads what /proc says about the calling thread: seccomp filters may be on one thread only.
func (s source) status(f *Facts) {
	text, err := s.readFile("/proc/thread-self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "Seccomp":
			if mode, err := strconv.Atoi(fields[0]); err == nil {
				f.Seccomp = mode
			}
		case "Gid":
			// Real, effective, saved, file system: the kernel asks for the last, which follows the effective one.
			f.Groups = appendNumber(f.Groups, fields[len(fields)-1])
		case "Groups":
			for _, field := range fields {
				f.Groups = appendNumber(f.Groups, field)
			}
		case "CapEff":
			caps, err := strconv.ParseUint(fields[0], 16, 64)
			if err == nil {
				f.SysAdmin = caps&(1<<unix.CAP_SYS_ADMIN) != 0
				f.IPCLock = caps&(1<<unix.CAP_IPC_LOCK) != 0
			}
		}
	}
}

func appendNumber(numbers []int, field string) []int {
	n, err := strconv.Atoi(field)
	if err != nil {
		return numbers
	}
	return append(numbers, n)
}
