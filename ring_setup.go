package uring

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

// Limits of io_uring_setup(2).
const (
	entriesMax   = 32768
	cqEntriesMax = 2 * entriesMax
)

// closeTimeoutDefault bounds how long Close waits for the kernel to let go of what is in flight.
const closeTimeoutDefault = 5 * time.Second

// Option changes what New asks the kernel for.
type Option func(*config)

type config struct {
	flags        SetupFlags // asked for, and given up one by one where refused
	required     SetupFlags // asked for, or there is no ring
	cqEntries    uint32
	sqIdle       time.Duration
	sqCPU        int
	attachFd     int
	plainFd      bool
	closeTimeout time.Duration
}

func defaultConfig() config {
	return config{
		flags: SetupSingleIssuer | SetupDeferTaskrun | SetupCoopTaskrun | SetupTaskrunFlag | SetupSubmitAll,
		sqCPU: -1, attachFd: -1, closeTimeout: closeTimeoutDefault,
	}
}

// WithCQEntries asks for a completion queue of n entries (IORING_SETUP_CQSIZE, kernel 5.5), rounded up to a power
// of two and at least the submission queue's size, at most 65536. The default is twice the submission queue.
func WithCQEntries(n uint32) Option {
	return func(c *config) {
		c.cqEntries = n
		c.required |= SetupCQSize
	}
}

// WithClamp has sizes beyond the kernel's limits reduced to them instead of refused (IORING_SETUP_CLAMP, kernel
// 5.6).
func WithClamp() Option { return func(c *config) { c.required |= SetupClamp } }

// WithSQPoll has a kernel thread take submissions, so that a busy ring needs no system call to submit; it goes to
// sleep after idle, in milliseconds' steps. cpu binds it to a processor, unless negative. See IORING_SETUP_SQPOLL.
// The ring gives up DEFER_TASKRUN and COOP_TASKRUN for it, which the kernel does not combine with it.
func WithSQPoll(idle time.Duration, cpu int) Option {
	return func(c *config) {
		c.flags &^= SetupDeferTaskrun | SetupCoopTaskrun | SetupTaskrunFlag
		c.required |= SetupSQPoll
		c.sqIdle, c.sqCPU = idle, cpu
		if cpu >= 0 {
			c.required |= SetupSQAff
		}
	}
}

// WithAttachWQ shares the worker threads of the ring whose descriptor is fd (IORING_SETUP_ATTACH_WQ, kernel 5.6).
func WithAttachWQ(fd int) Option {
	return func(c *config) {
		c.attachFd = fd
		c.required |= SetupAttachWQ
	}
}

// WithDisabled sets the ring up stopped, to be given restrictions and started by EnableRings
// (IORING_SETUP_R_DISABLED, kernel 5.10).
func WithDisabled() Option { return func(c *config) { c.required |= SetupRDisabled } }

// WithFlags asks for further set-up flags; the set-up fails where the kernel refuses them.
func WithFlags(f SetupFlags) Option { return func(c *config) { c.required |= f } }

// WithoutFlags does not ask for flags that New asks for by default.
func WithoutFlags(f SetupFlags) Option { return func(c *config) { c.flags &^= f } }

// WithPlainFd does not register the ring's descriptor with the owner's thread.
func WithPlainFd() Option { return func(c *config) { c.plainFd = true } }

// WithCloseTimeout bounds how long Close waits for the kernel to let go of what is in flight; 5 s by default.
func WithCloseTimeout(d time.Duration) Option { return func(c *config) { c.closeTimeout = d } }

// validate says which size or which pair of flags the kernel would refuse with a bare EINVAL.
func (c *config) validate(entries uint32) error {
	all := c.flags | c.required
	clamp := all&SetupClamp != 0
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{entries == 0, "no entries"},
		{entries > entriesMax && !clamp, fmt.Sprintf("%d entries, at most %d", entries, entriesMax)},
		{all&SetupCQSize != 0 && c.cqEntries == 0, "no completion entries"},
		{all&SetupCQSize != 0 && c.cqEntries < entries && !clamp, "fewer completion than submission entries"},
		{c.cqEntries > cqEntriesMax && !clamp, fmt.Sprintf("%d completion entries, at most %d", c.cqEntries, cqEntriesMax)},
		{all&(SetupSQE128|SetupCQE32) != 0, "128-byte SQEs and 32-byte CQEs are not served"},
		{all&SetupIOPoll != 0, "IORING_SETUP_IOPOLL is not served: it is not for sockets"},
		{all&SetupNoMmap != 0, "IORING_SETUP_NO_MMAP is not served: liburing maps the ring"},
		{all&SetupDeferTaskrun != 0 && all&SetupSQPoll != 0, "DEFER_TASKRUN with SQPOLL"},
		{all&SetupCoopTaskrun != 0 && all&SetupSQPoll != 0, "COOP_TASKRUN with SQPOLL"},
		{c.required&SetupDeferTaskrun != 0 && all&SetupSingleIssuer == 0, "DEFER_TASKRUN without SINGLE_ISSUER"},
		{all&SetupSQAff != 0 && all&SetupSQPoll == 0, "SQ_AFF without SQPOLL"},
		{c.sqIdle < 0, "negative SQPOLL idle time"},
	} {
		if rule.broken {
			return fmt.Errorf("uring: set-up: %s: %w", rule.text, unix.EINVAL)
		}
	}
	return nil
}

// ladder is what New gives up, in this order, each time the kernel refuses the flags with EINVAL. The kernel that
// first had the flags stands behind each step.
var ladder = []SetupFlags{
	SetupDeferTaskrun,                   // 6.1
	SetupSingleIssuer,                   // 6.0
	SetupCoopTaskrun | SetupTaskrunFlag, // 5.19
	SetupSubmitAll,                      // 5.18
}

// setup makes the ring with as many of the wished flags as the kernel grants.
func setup(entries uint32, cfg *config) (*cring.Ring, error) {
	if !cring.Supported {
		return nil, errNoCgo()
	}
	wish := cfg.flags
	for step := 0; ; step++ {
		flags := wish | cfg.required
		p := cring.Params{Flags: uint32(flags), CQEntries: cfg.cqEntries}
		p.SQThreadIdle = uint32(cfg.sqIdle.Milliseconds())
		if cfg.sqCPU >= 0 {
			p.SQThreadCPU = uint32(cfg.sqCPU)
		}
		if cfg.attachFd >= 0 {
			p.WQFd = uint32(cfg.attachFd)
		}
		c, ret := cring.Setup(entries, &p)
		switch {
		case ret == 0:
			return checked(c)
		case ret == -int(unix.EINVAL) && step < len(ladder):
			wish &^= ladder[step]
			// Task-run flags make sense only with each other.
			if wish&SetupSingleIssuer == 0 {
				wish &^= SetupDeferTaskrun
			}
		default:
			return nil, setupError(-ret, flags)
		}
	}
}

// checked refuses a ring whose kernel may lose completions: every promise of this package rests on that it does
// not.
func checked(c *cring.Ring) (*cring.Ring, error) {
	if c.Features&uint32(FeatNoDrop) != 0 {
		return c, nil
	}
	c.Exit()
	return nil, &UnsupportedError{
		Name: "io_uring", Missing: "IORING_FEAT_NODROP", Provider: "kernel 5.5", SinceMajor: 5, SinceMinor: 5,
	}
}

// setupError names the cause of a refused set-up.
func setupError(errno int, flags SetupFlags) error {
	if unix.Errno(errno) == unix.EINVAL {
		return fmt.Errorf("uring: set-up: the kernel refuses %v or the sizes asked for: %w", flags,
			opError("io_uring_setup", errno))
	}
	err := probe.ExplainSetup(unix.Errno(errno))
	var refusal *probe.Refusal
	if errors.As(err, &refusal) {
		return verdict("io_uring", probe.Version{Major: 5, Minor: 1}, err)
	}
	return fmt.Errorf("uring: set-up: %w", err)
}

// errNoCgo is what set-up gives in a build without liburing.
func errNoCgo() error {
	return &UnsupportedError{
		Name: "io_uring", Missing: "this binary was built without cgo or not for Linux",
		Provider: "CGO_ENABLED=1 GOOS=linux and liburing", Err: errors.ErrUnsupported,
	}
}
