package probe

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// machine is a process without privilege, limits, filters and sysctls, to be changed by a row of a table.
func machine(change func(*Facts)) Facts {
	f := Facts{
		Kernel: "6.12.0-test", Seccomp: 0, IOURingDisabled: 0, IOURingGroup: Unknown, AIOMaxNr: 65536, AIONr: 0,
		Memlock: Unlimited, Nofile: 1024, Groups: []int{1000, 27},
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestRefusedSetupNamesItsCause(t *testing.T) {
	const profile = "a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register"
	for _, test := range []struct {
		name     string
		errno    unix.Errno
		change   func(*Facts)
		missing  string
		provider string
	}{
		{
			"sysctl refuses everybody", unix.EPERM, func(f *Facts) { f.IOURingDisabled, f.SysAdmin = 2, true },
			"kernel.io_uring_disabled=2", "kernel.io_uring_disabled=0",
		},
		{
			"sysctl refuses, filter too", unix.EPERM,
			func(f *Facts) { f.IOURingDisabled, f.Seccomp = 2, seccompFilter },
			"kernel.io_uring_disabled=2", "kernel.io_uring_disabled=0",
		},
		{
			"sysctl excepts no group", unix.EPERM, func(f *Facts) { f.IOURingDisabled = 1 },
			"kernel.io_uring_disabled=1, without CAP_SYS_ADMIN and with no kernel.io_uring_group",
			"kernel.io_uring_disabled=0",
		},
		{
			"sysctl excepts another group", unix.EPERM, func(f *Facts) { f.IOURingDisabled, f.IOURingGroup = 1, 106 },
			"kernel.io_uring_disabled=1, without CAP_SYS_ADMIN and not in group 106",
			"membership in group 106 (kernel.io_uring_group), or kernel.io_uring_disabled=0",
		},
		{
			"sysctl excepts our group, a filter does not", unix.EPERM,
			func(f *Facts) { f.IOURingDisabled, f.IOURingGroup, f.Seccomp = 1, 27, seccompFilter },
			"a seccomp filter answers EPERM to io_uring_setup", profile,
		},
		{
			"sysctl excepts root, a filter does not", unix.EPERM,
			func(f *Facts) { f.IOURingDisabled, f.SysAdmin, f.Seccomp = 1, true, seccompFilter },
			"a seccomp filter answers EPERM to io_uring_setup", profile,
		},
		{
			"root of a user namespace", unix.EPERM, func(f *Facts) { f.IOURingDisabled, f.SysAdmin = 1, true },
			"kernel.io_uring_disabled=1, without CAP_SYS_ADMIN and with no kernel.io_uring_group",
			"kernel.io_uring_disabled=0",
		},
		{
			"filter", unix.EPERM, func(f *Facts) { f.Seccomp = seccompFilter },
			"a seccomp filter answers EPERM to io_uring_setup", profile,
		},
		{
			"filter with EACCES", unix.EACCES, func(f *Facts) { f.Seccomp = seccompFilter },
			"a seccomp filter answers EACCES to io_uring_setup", profile,
		},
		{
			"neither sysctl nor filter", unix.EPERM, nil,
			"io_uring_setup answers EPERM", "more privilege, or a security module that allows it",
		},
		{
			"no /proc", unix.EPERM, func(f *Facts) { f.Seccomp, f.IOURingDisabled = Unknown, Unknown },
			"io_uring_setup answers EPERM", "more privilege, or a security module that allows it, or " + profile,
		},
		{
			"kernel without io_uring", unix.ENOSYS, func(f *Facts) { f.IOURingDisabled = Unknown },
			"io_uring_setup answers ENOSYS: a kernel that is older or built without it, or a sandbox", "kernel 5.1",
		},
		{
			"filter with ENOSYS on a kernel that has io_uring", unix.ENOSYS, nil,
			"a seccomp filter answers ENOSYS to io_uring_setup", profile,
		},
		{
			"filter with ENOSYS on a kernel that may have io_uring", unix.ENOSYS,
			func(f *Facts) { f.IOURingDisabled, f.Seccomp = Unknown, seccompFilter },
			"io_uring_setup answers ENOSYS: a seccomp filter, or a kernel without it", profile + ", and kernel 5.1",
		},
		{
			"locked memory exhausted", unix.ENOMEM,
			func(f *Facts) { f.Kernel, f.Memlock = "5.10.0-28-cloud-amd64", 65536 },
			"io_uring_setup answers ENOMEM with RLIMIT_MEMLOCK at 65536 bytes",
			"a higher RLIMIT_MEMLOCK, or kernel 5.12",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := machine(test.change)
			err := refusedSetup(test.errno, &f)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.missing, refusal.Missing)
			require.Equal(t, test.provider, refusal.Provider)
			require.ErrorIs(t, err, test.errno)
			require.False(t, refusal.OldKernel, "a newer kernel alone would not help")
		})
	}
}

func TestRefusedSetupLeavesTheQuestionOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		errno  unix.Errno
		change func(*Facts)
		text   string
	}{
		{"descriptors exhausted", unix.EMFILE, nil, "io_uring_setup: too many open files (RLIMIT_NOFILE is 1024)"},
		{"system's descriptors exhausted", unix.ENFILE, nil, "io_uring_setup: too many open files in system"},
		{"no memory", unix.ENOMEM, nil, "io_uring_setup: cannot allocate memory"},
		{
			"no memory, limit may count", unix.ENOMEM, func(f *Facts) { f.Kernel, f.Memlock = "5.12.0", 65536 },
			"io_uring_setup: cannot allocate memory " +
				"(RLIMIT_MEMLOCK is 65536 bytes, towards which some kernels count rings)",
		},
		{
			"no memory, limit lifted", unix.ENOMEM,
			func(f *Facts) { f.Kernel, f.Memlock, f.IPCLock = "5.10.0", 65536, true },
			"io_uring_setup: cannot allocate memory",
		},
		{
			"no memory, kernel unknown", unix.ENOMEM, func(f *Facts) { f.Kernel, f.Memlock = "", 65536 },
			"io_uring_setup: cannot allocate memory " +
				"(RLIMIT_MEMLOCK is 65536 bytes, towards which some kernels count rings)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := machine(test.change)
			err := refusedSetup(test.errno, &f)
			require.EqualError(t, err, test.text)
			require.ErrorIs(t, err, test.errno)
			var refusal *Refusal
			require.NotErrorAs(t, err, &refusal)
		})
	}
}

func TestRefusedConcludesFromWhatTheKernelAnswered(t *testing.T) {
	since := Version{6, 9}
	filtered := func(f *Facts) { f.Seccomp = seccompFilter }
	for _, test := range []struct {
		name      string
		err       error
		change    func(*Facts)
		text      string
		verdict   bool
		oldKernel bool
	}{
		{"works", nil, nil, "", false, false},
		{
			"unknown operation", answeredCall("io_uring_register", unix.EINVAL), nil,
			"io_uring_register answers EINVAL (needs kernel 6.9)", true, true,
		},
		{
			"unknown request", answeredRequest("IORING_OP_SEND", unix.EOPNOTSUPP), filtered,
			"IORING_OP_SEND answers EOPNOTSUPP (needs kernel 6.9)", true, true,
		},
		{
			"request not built in", answeredRequest("IORING_OP_FUTEX_WAIT", unix.ENOSYS), filtered,
			"IORING_OP_FUTEX_WAIT answers ENOSYS (needs kernel 6.9)", true, true,
		},
		{
			"request without privilege", answeredRequest("IORING_OP_SEND", unix.EPERM), filtered,
			"IORING_OP_SEND answers EPERM (needs more privilege, or a security module that allows it)", true, false,
		},
		{
			"filtered call", answeredCall("io_uring_enter", unix.ENOSYS), nil,
			"a seccomp filter answers ENOSYS to io_uring_enter" +
				" (needs a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register)", true, false,
		},
		{
			"filtered AIO", answeredCall("io_setup", unix.EPERM), filtered,
			"a seccomp filter answers EPERM to io_setup (needs a seccomp profile that allows io_setup)", true, false,
		},
		{
			"own conclusion", lacking(since, "received %q", "x"), nil,
			`received "x" (needs kernel 6.9)`, true, true,
		},
		{
			"no memory", answeredCall("io_uring_register", unix.ENOMEM), nil,
			"io_uring_register: cannot allocate memory", false, false,
		},
		{
			"preparation refused", answeredHelper("socketpair", unix.EPERM), filtered,
			"preparing the attempt: socketpair: operation not permitted", false, false,
		},
		{"no answer", errors.New("waiting"), nil, "waiting", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := machine(test.change)
			err := refused(test.err, since, &f)
			if test.text == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.text)
			var refusal *Refusal
			require.Equal(t, test.verdict, errors.As(err, &refusal))
			if test.verdict {
				require.Equal(t, test.oldKernel, refusal.OldKernel)
			}
		})
	}
}
