package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Seccomp modes of /proc/PID/status.
const seccompFilter = 2

// answer is what the kernel said to an attempt: the errno of a system call, or of a request's CQE.
type answer struct {
	*os.SyscallError
	request bool
}

func answeredCall(call string, errno error) error {
	return answer{&os.SyscallError{Syscall: call, Err: errno}, false}
}

func answeredRequest(op string, errno error) error {
	return answer{&os.SyscallError{Syscall: op, Err: errno}, true}
}

// refused concludes from the error of an attempt at a feature. The kernel's answers that the feature does not exist,
// or is not for this process, become a Refusal; everything else leaves the question open.
func refused(err error, since Version, f *Facts) error {
	var said answer
	if !errors.As(err, &said) {
		return err
	}
	errno, ok := said.Err.(unix.Errno)
	if !ok {
		return err
	}
	switch {
	case errno == unix.EINVAL, errno == unix.EOPNOTSUPP, errno == unix.ENOSYS && said.request:
		return &Refusal{
			Missing:   said.Syscall + " answers " + errnoName(errno),
			Provider:  kernel(since),
			OldKernel: true,
			Err:       errno,
		}
	case errno == unix.EPERM, errno == unix.EACCES:
		return denied(said, errno, f)
	case errno == unix.ENOSYS:
		return absent(said.Syscall, since, f)
	}
	return err
}

// errnoName is the kernel's name of an errno.
func errnoName(errno unix.Errno) string {
	if errno == unix.EOPNOTSUPP { // which in user space is ENOTSUP too
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(errno)
}

func kernel(since Version) string { return "kernel " + since.String() }

// lacking is a Refusal for what a kernel announces or does differently where it is older than the feature.
func lacking(since Version, format string, args ...any) error {
	return &Refusal{Missing: fmt.Sprintf(format, args...), Provider: kernel(since), OldKernel: true}
}

// ExplainSetup names the cause of a failed io_uring_setup(2): a *Refusal, or an error that is no verdict about
// io_uring as such.
func ExplainSetup(errno unix.Errno) error {
	f := system.facts()
	return refusedSetup(errno, &f)
}

// ExplainRegister names the cause of an io_uring_register(2) that EPERM, EACCES or ENOSYS refused: a *Refusal, or an
// error that is no verdict.
func ExplainRegister(errno unix.Errno) error {
	f := system.facts()
	return refused(answeredCall("io_uring_register", errno), setupSince, &f)
}

// setupSince is the first kernel with io_uring.
var setupSince = Version{5, 1}

const setupCall = "io_uring_setup"

func refusedSetup(errno unix.Errno, f *Facts) error {
	switch errno {
	case unix.ENOSYS:
		return absent(setupCall, setupSince, f)
	case unix.EPERM, unix.EACCES:
		if r := disabled(errno, f); r != nil {
			return r
		}
		return refused(answeredCall(setupCall, errno), setupSince, f)
	case unix.ENOMEM:
		if chargesMemlock(f) {
			return &Refusal{
				Missing:  fmt.Sprintf("%s answers ENOMEM with RLIMIT_MEMLOCK at %v bytes", setupCall, f.Memlock),
				Provider: "a higher RLIMIT_MEMLOCK, or kernel 5.12",
				Err:      errno,
			}
		}
		if limitsMemlock(f) {
			// Recent kernels count rings towards the limit again, and give back what a closed ring held some time later.
			return fmt.Errorf("%w (RLIMIT_MEMLOCK is %v bytes, towards which some kernels count rings)",
				answeredCall(setupCall, errno), f.Memlock)
		}
	case unix.EMFILE:
		return fmt.Errorf("%w (RLIMIT_NOFILE is %v)", answeredCall(setupCall, errno), f.Nofile)
	}
	return answeredCall(setupCall, errno)
}

// absent explains ENOSYS.
func absent(call string, since Version, f *Facts) error {
	r := &Refusal{
		Missing:  call + " answers ENOSYS: a kernel that is older or built without it, or a sandbox",
		Provider: kernel(since),
		Err:      unix.ENOSYS,
	}
	switch {
	case call == "io_uring_enter", call == "io_uring_register", call == setupCall && f.IOURingDisabled != Unknown:
		// Whoever made a ring has the other two calls, and the sysctl is there only in kernels with io_uring.
		r.Missing = "a seccomp filter answers ENOSYS to " + call
		r.Provider = profile(call)
	case f.Seccomp == seccompFilter:
		r.Missing = call + " answers ENOSYS: a seccomp filter, or a kernel without it"
		r.Provider = profile(call) + ", and " + kernel(since)
	}
	return r
}

// profile names the remedy for a seccomp filter.
func profile(call string) string {
	if strings.HasPrefix(call, "io_uring_") {
		return "a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register"
	}
	return "a seccomp profile that allows " + call
}

// disabled explains EPERM where kernel.io_uring_disabled does, and returns nil where it does not.
func disabled(errno unix.Errno, f *Facts) error {
	r := &Refusal{
		Missing:  fmt.Sprintf("kernel.io_uring_disabled=%d", f.IOURingDisabled),
		Provider: "kernel.io_uring_disabled=0",
		Err:      errno,
	}
	switch {
	case f.IOURingDisabled == 2:
		return r
	case f.IOURingDisabled != 1:
		return nil
	case f.IOURingGroup != Unknown && slices.Contains(f.Groups, f.IOURingGroup):
		return nil
	case f.SysAdmin && f.Seccomp == seccompFilter:
		// The sysctl excepts CAP_SYS_ADMIN, so the filter is the better guess.
		return nil
	case f.IOURingGroup != Unknown:
		r.Missing += fmt.Sprintf(", without CAP_SYS_ADMIN and not in group %d", f.IOURingGroup)
		r.Provider = fmt.Sprintf("membership in group %d (kernel.io_uring_group), or %s", f.IOURingGroup, r.Provider)
	default:
		r.Missing += ", without CAP_SYS_ADMIN and with no kernel.io_uring_group"
	}
	return r
}

// denied explains EPERM and EACCES where no sysctl does.
func denied(said answer, errno unix.Errno, f *Facts) error {
	r := &Refusal{
		Missing:  said.Syscall + " answers " + errnoName(errno),
		Provider: "more privilege, or a security module that allows it",
		Err:      errno,
	}
	switch {
	case said.request:
	case f.Seccomp == seccompFilter:
		r.Missing = "a seccomp filter answers " + errnoName(errno) + " to " + said.Syscall
		r.Provider = profile(said.Syscall)
	case f.Seccomp == Unknown:
		r.Provider += ", or " + profile(said.Syscall)
	}
	return r
}

// chargesMemlock reports whether ENOMEM means RLIMIT_MEMLOCK: kernels before 5.12 charge the memory of rings to it.
// Only here the release serves to tell two causes of the same errno apart.
func chargesMemlock(f *Facts) bool {
	var v Version
	if n, _ := fmt.Sscanf(f.Kernel, "%d.%d", &v.Major, &v.Minor); n != 2 {
		return false
	}
	older := v.Major < 5 || v.Major == 5 && v.Minor < 12
	return older && limitsMemlock(f)
}

// limitsMemlock reports whether there is an RLIMIT_MEMLOCK, and nothing excepts the process from it.
func limitsMemlock(f *Facts) bool {
	return f.Memlock != Unlimited && f.Memlock != Unknown && !f.IPCLock
}
