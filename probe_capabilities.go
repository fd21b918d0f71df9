package uring

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/sockring/uring/internal/probe"
)

// Names of features that the kernel has no constant for, to be asked for with Capabilities.Require. All other
// features go by the kernel's own names: "IORING_SETUP_SQPOLL", "IORING_FEAT_NODROP", "IORING_OP_SEND",
// "IORING_REGISTER_NAPI".
const (
	CanSetup    = probe.IOURingSetup    // make a ring. Since 5.1.
	CanEnter    = probe.IOURingEnter    // submit to a ring. Since 5.1.
	CanRegister = probe.IOURingRegister // register with a ring. Since 5.1.
	CanCgo      = probe.Cgo             // the build has cgo and so this package's Ring
	CanLiburing = probe.Liburing        // liburing makes a ring that works

	CanSparseFiles   = probe.SparseFiles   // register a table of empty file slots. Since 5.19.
	CanSparseBuffers = probe.SparseBuffers // register a table of empty buffer slots. Since 5.19.

	CanWaitTimeout    = probe.WaitTimeout    // wait for a limited time without a timeout request. Since 5.11.
	CanWaitMinTimeout = probe.WaitMinTimeout // wait for a minimum time to gather completions. Since 6.12.
	CanWaitAbsolute   = probe.WaitAbsolute   // wait until a point in time. Since 6.12.
	CanCancelAny      = probe.CancelAny      // cancel everything with one request. Since 5.19.

	CanSendPollFirst  = probe.SendPollFirst  // send only once the socket has room. Since 5.19.
	CanSendTo         = probe.SendTo         // SEND with an address. Since 6.1.
	CanSendSelect     = probe.SendSelect     // SEND from a provided buffer. Since 6.10.
	CanSendBundle     = probe.SendBundle     // SEND of many provided buffers at once. Since 6.10.
	CanSendVectorized = probe.SendVectorized // SEND of an array of iovecs. Since 6.17.
	CanSendZC         = probe.SendZC         // SEND_ZC over TCP, with its notification. Since 6.0.
	CanSendmsgZC      = probe.SendmsgZC      // SENDMSG_ZC over TCP, with its notification. Since 6.1.

	CanRecvSelect      = probe.RecvSelect      // RECV into a provided buffer of a ring. Since 5.19.
	CanRecvMultishot   = probe.RecvMultishot   // RECV again and again with one request. Since 6.0.
	CanRecvBundle      = probe.RecvBundle      // RECV into many provided buffers at once. Since 6.10.
	CanAcceptMultishot = probe.AcceptMultishot // ACCEPT again and again with one request. Since 5.19.
	CanPollMultishot   = probe.PollMultishot   // POLL_ADD again and again with one request. Since 5.13.

	CanAIO           = probe.AIOSetup      // make a Linux AIO context
	CanAIORing       = probe.AIORing       // read AIO completions from mapped memory
	CanAIOSubmit     = probe.AIOSubmit     // write to a socket by io_submit(2)
	CanAIOPoll       = probe.AIOPoll       // wait for a socket by io_submit(2). Since 4.18.
	CanAIOPgetevents = probe.AIOPgetevents // wait for AIO completions with a signal mask. Since 4.18.
)

// Feature is what was found out about one feature.
type Feature struct {
	Group     string // what it belongs to, one of FeatureGroups
	Name      string
	Since     string // the first mainline kernel that has it, as "6.10"; empty where that does not decide
	Supported bool

	// Err is nil where the feature is supported, and an *UnsupportedError that says why where it is not. Any other
	// error means that the attempt allowed no conclusion.
	Err error
}

// Conclusive reports whether the feature is known to be supported, or known not to be.
func (f Feature) Conclusive() bool { return f.Supported || errors.Is(f.Err, ErrUnsupported) }

// FeatureGroups returns the groups that features belong to, in the order of Capabilities.Features: "process",
// "setup", "feature", "operation", "register", "wait", "buffer", "send", "receive", "aio".
func FeatureGroups() []string { return slices.Clone(probe.Groups) }

// Capabilities is what a Probe found out. It does not change and may be shared.
type Capabilities struct {
	process  Process
	features []Feature // by group
}

func newCapabilities(facts probe.Facts, results []probe.Result) *Capabilities {
	c := &Capabilities{process: processOf(facts)}
	for _, r := range results {
		err := verdict(r.Name, r.Since, r.Err)
		c.features = append(c.features, Feature{
			Group: r.Group, Name: r.Name, Since: r.Since.String(), Supported: err == nil, Err: err,
		})
	}
	return c
}

// Process returns the surroundings that decide about io_uring and AIO.
func (c *Capabilities) Process() Process { return c.process }

// Features returns every feature, group by group. The slice is the caller's.
func (c *Capabilities) Features() []Feature { return slices.Clone(c.features) }

// Feature returns what was found out about the feature with the given name. ok is false where this package does
// not try for such a feature.
func (c *Capabilities) Feature(name string) (f Feature, ok bool) {
	for _, f := range c.features {
		if f.Name == name {
			return f, true
		}
	}
	return Feature{}, false
}

// Require returns nil when all the named features are supported, and else the error of the first that is not: an
// *UnsupportedError, or one that says why its attempt allowed no conclusion. A name that is none of a
// feature's is an error too, which is not ErrUnsupported.
func (c *Capabilities) Require(names ...string) error {
	for _, name := range names {
		f, ok := c.Feature(name)
		switch {
		case ok && f.Err != nil:
			return f.Err
		case !ok && runtime.GOOS != "linux":
			return &UnsupportedError{Name: name, Missing: "this is " + runtime.GOOS, Provider: "Linux"}
		case !ok:
			return fmt.Errorf("uring: there is no feature %q", name)
		}
	}
	return nil
}
