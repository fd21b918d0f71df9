package errnomatrix

import (
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

const entries = 8

var setupRows = map[string]row{
	"setup entries=0":            func(e *env) string { return e.setup(0, &cring.Params{}) },
	"setup entries=32768":        func(e *env) string { return e.sized(32768, 0, 32768) },
	"setup entries=32769":        func(e *env) string { return e.setup(32769, &cring.Params{}) },
	"setup entries=1<<20 CLAMP":  func(e *env) string { return e.sized(1<<20, cring.SetupClamp, 32768) },
	"setup entries=3 (non pow2)": func(e *env) string { return e.sized(3, 0, 4) },
	"setup unknown flag 1<<31":   flagged(1 << 31),
	"setup CQSIZE cq=0":          cqSized(0),
	"setup CQSIZE cq<sq":         cqSized(entries / 2),
	"setup CQSIZE cq=65537":      cqSized(65537),

	"setup DEFER_TASKRUN w/o SINGLE_ISSUER": flagged(cring.SetupDeferTaskrun),
	"setup SQ_AFF w/o SQPOLL":               flagged(cring.SetupSQAff),
	"setup COOP|SQPOLL":                     flagged(cring.SetupCoopTaskrun | cring.SetupSQPoll),
	"setup REGISTERED_FD_ONLY w/o NO_MMAP":  flagged(cring.SetupRegisteredFdOnly),
	"setup DEFER|SQPOLL": flagged(
		cring.SetupDeferTaskrun | cring.SetupSingleIssuer | cring.SetupSQPoll),

	"setup ATTACH_WQ bad fd": func(e *env) string { return e.attached(unusedFd) },
	"setup ATTACH_WQ fd not a ring": func(e *env) string {
		return e.attached(e.emptyPipe())
	},
	"setup NO_MMAP addr=0": flagged(cring.SetupNoMmap),
	"setup resv!=0":        func(e *env) string { return e.setup(entries, &cring.Params{Resv: [3]uint32{1}}) },
	"setup SQ_AFF cpu=9999": func(e *env) string {
		e.require("IORING_SETUP_SQPOLL") // privileged before 5.13
		return e.setup(entries, &cring.Params{Flags: cring.SetupSQPoll | cring.SetupSQAff, SQThreadCPU: 9999})
	},
	"setup params=NULL": func(*env) string {
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, entries, 0, 0)
		return succeeded(errno)
	},
	"setup RLIMIT_NOFILE exhausted": alone(setupWithoutDescriptors),
}

// setup answers what io_uring_setup(2) says, and closes the ring if there is one.
func (e *env) setup(entries uint32, p *cring.Params) string {
	e.Helper()
	fd, err := rawring.Create(entries, p)
	if err == nil {
		require.NoError(e, unix.Close(fd))
	}
	return succeeded(err)
}

func flagged(flags uint32) row {
	return func(e *env) string { return e.setup(entries, &cring.Params{Flags: flags}) }
}

func cqSized(n uint32) row {
	return func(e *env) string { return e.setup(entries, &cring.Params{Flags: cring.SetupCQSize, CQEntries: n}) }
}

func (e *env) attached(fd int) string {
	return e.setup(entries, &cring.Params{Flags: cring.SetupAttachWQ, WQFd: uint32(fd)})
}

// sized is setup for a ring that gets the granted size.
func (e *env) sized(asked, flags, granted uint32) string {
	e.Helper()
	p := &cring.Params{Flags: flags}
	answer := e.setup(asked, p)
	if answer == ok {
		require.Equal(e, granted, p.SQEntries)
		require.Equal(e, 2*granted, p.CQEntries)
	}
	return answer
}

// setupWithoutDescriptors lowers the limit for the whole process.
func setupWithoutDescriptors(e *env) string {
	var limit unix.Rlimit
	require.NoError(e, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.NoError(e, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))
	answer := e.setup(entries, &cring.Params{})
	require.NoError(e, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	return answer
}
