package uring

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/unix"
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
// sleep after idle, which is rounded up to milliseconds and where zero is the kernel's one second. cpu binds it to a
// processor, unless negative. See IORING_SETUP_SQPOLL. Before kernel 5.11 it needs CAP_SYS_NICE.
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

// notServed are the set-up flags that would change what this package relies on: the size of entries, who maps them,
// where the next one lies, and that a completion needs no busy-waiting. liburing asks for NO_SQARRAY by itself where
// it knows it.
const notServed = SetupIOPoll | SetupSQE128 | SetupCQE32 | SetupNoMmap | SetupCQEMixed | SetupSQEMixed |
	cring.SetupRegisteredFdOnly | cring.SetupHybridIOPoll | cring.SetupSQRewind

// taskrunFlags say how task work reaches the owner; a polling thread does without.
const taskrunFlags = SetupDeferTaskrun | SetupCoopTaskrun | SetupTaskrunFlag

// validate says which size or which pair of flags the kernel would refuse with a bare EINVAL.
func (c *config) validate(entries uint32) error {
	all := c.wish() | c.required
	clamp := all&SetupClamp != 0
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{entries == 0, "no entries"},
		{entries > entriesMax && !clamp, fmt.Sprintf("%d entries, at most %d", entries, entriesMax)},
		{all&SetupCQSize != 0 && c.cqEntries == 0, "no completion entries"},
		{
			all&SetupCQSize != 0 && granted(c.cqEntries, cqEntriesMax) < granted(entries, entriesMax),
			"fewer completion than submission entries",
		},
		{c.cqEntries > cqEntriesMax && !clamp, fmt.Sprintf("%d completion entries, at most %d", c.cqEntries, cqEntriesMax)},
		{all&notServed != 0, fmt.Sprintf("%v is not served", all&notServed)},
		{c.required&SetupNoSQArray != 0, "NO_SQARRAY is liburing's to ask for"},
		{all&SetupSQPoll != 0 && all&taskrunFlags != 0, fmt.Sprintf("%v with SQPOLL", all&taskrunFlags)},
		{c.required&SetupDeferTaskrun != 0 && all&SetupSingleIssuer == 0, "DEFER_TASKRUN without SINGLE_ISSUER"},
		{
			c.required&SetupTaskrunFlag != 0 && all&(SetupDeferTaskrun|SetupCoopTaskrun) == 0,
			"TASKRUN_FLAG without DEFER_TASKRUN or COOP_TASKRUN",
		},
		{all&SetupSQAff != 0 && all&SetupSQPoll == 0, "SQ_AFF without SQPOLL"},
		{all&SetupAttachWQ != 0 && c.attachFd < 0, "ATTACH_WQ without a ring's descriptor"},
		{c.sqIdle < 0 || c.sqIdle.Milliseconds() >= math.MaxUint32, fmt.Sprintf("SQPOLL idle time of %v", c.sqIdle)},
	} {
		if rule.broken {
			return fmt.Errorf("uring: set-up: %s: %w", rule.text, unix.EINVAL)
		}
	}
	return nil
}

// granted is the size that the kernel makes of a wished one: a power of two within its limit.
func granted(n, limit uint32) uint32 {
	if n > limit {
		return limit
	}
	return 1 << bits.Len32(max(n, 1)-1)
}

// wish is the set-up flags to ask for and to give up where refused, without those that others of them would have to
// go with.
func (c *config) wish() SetupFlags { return consistent(c.flags, c.required) }

// consistent returns the wished flags without those that make sense only with flags which are neither wished nor
// required.
func consistent(wish, required SetupFlags) SetupFlags {
	if (wish|required)&SetupSingleIssuer == 0 {
		wish &^= SetupDeferTaskrun
	}
	if (wish|required)&(SetupDeferTaskrun|SetupCoopTaskrun) == 0 {
		wish &^= SetupTaskrunFlag
	}
	return wish
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
	var c *cring.Ring
	flags, ret := cfg.descend(func(flags SetupFlags) (ret int) {
		p := cfg.params(flags)
		c, ret = cring.Setup(entries, &p)
		return ret
	})
	if ret < 0 {
		return nil, setupError(-ret, flags)
	}
	if err := checkFeatures(c); err != nil {
		c.Exit()
		return nil, err
	}
	return c, nil
}

// descend tries the wished flags and goes down the ladder while the kernel answers EINVAL. It returns the flags that
// were tried last, and the kernel's answer to them.
func (c *config) descend(try func(SetupFlags) int) (SetupFlags, int) {
	wish := c.wish()
	ret := try(wish | c.required)
	for _, step := range ladder {
		if ret != -int(unix.EINVAL) {
			break
		}
		wish = consistent(wish&^step, c.required)
		ret = try(wish | c.required)
	}
	return wish | c.required, ret
}

// params is what the kernel is asked for with these flags.
func (c *config) params(flags SetupFlags) cring.Params {
	p := cring.Params{Flags: uint32(flags), CQEntries: c.cqEntries}
	p.SQThreadIdle = uint32((c.sqIdle + time.Millisecond - 1).Milliseconds())
	if c.sqCPU >= 0 {
		p.SQThreadCPU = uint32(c.sqCPU)
	}
	if c.attachFd >= 0 {
		p.WQFd = uint32(c.attachFd)
	}
	return p
}

// checkFeatures refuses a ring whose kernel may lose completions: every promise of this package rests on that it does
// not.
func checkFeatures(c *cring.Ring) error {
	if c.Features&uint32(FeatNoDrop) != 0 {
		return nil
	}
	return &UnsupportedError{
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
