package uring

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/sockring/uring/internal/probe"
)

// Probe finds out what this kernel lets this process do, by real attempts and by asking the kernel, never by its
// version. Each feature is tried once: what was conclusive is remembered for the life of the process, what was not is
// tried again by the next call. It takes some tens of milliseconds the first time and a few seconds at worst, and
// leaves nothing open. It is safe for concurrent use.
//
// Capabilities are never nil. The error is nil when every feature has a verdict; otherwise it wraps the first
// failure that left a question open, such as EMFILE.
//
// What changes after a feature was tried, such as a seccomp filter or a sysctl, goes unnoticed: see ProbeAfresh.
func Probe() (*Capabilities, error) {
	probed.Lock()
	defer probed.Unlock()
	if probed.all != nil {
		return probed.all, nil
	}
	return probed.probe()
}

// ProbeAfresh is Probe that tries everything again and forgets what was found before.
func ProbeAfresh() (*Capabilities, error) {
	probed.Lock()
	defer probed.Unlock()
	probed.all = nil
	clear(probed.conclusive)
	return probed.probe()
}

// probed remembers what Probe found out.
var probed = probeCache{conclusive: make(map[string]probe.Result), run: probe.Run}

// probeCache holds conclusive results only: an attempt that failed for want of descriptors must not decide for ever.
type probeCache struct {
	sync.Mutex // guards all

	conclusive map[string]probe.Result
	all        *Capabilities // once every result is conclusive

	run func(known func(name string) (probe.Result, bool)) (probe.Facts, []probe.Result)
}

func (c *probeCache) probe() (*Capabilities, error) {
	facts, results := c.run(func(name string) (probe.Result, bool) {
		r, ok := c.conclusive[name]
		return r, ok
	})
	caps := newCapabilities(facts, results)
	var open []Feature
	for i, f := range caps.features {
		if f.Conclusive() {
			c.conclusive[f.Name] = results[i]
		} else {
			open = append(open, f)
		}
	}
	if len(open) > 0 {
		return caps, fmt.Errorf("uring: %d of %d features are uncertain: %w", len(open), len(results), open[0].Err)
	}
	c.all = caps
	return caps, nil
}

// verdict turns what package probe found into the error that users see.
func verdict(name string, since probe.Version, err error) error {
	var refusal *probe.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
	case errors.Is(err, errors.ErrUnsupported):
		// The preparation of an attempt failed by ENOSYS or the like, which must not count as a verdict.
		return fmt.Errorf("uring: cannot tell whether %s is supported: %v", name, err)
	default:
		return fmt.Errorf("uring: cannot tell whether %s is supported: %w", name, err)
	}
	u := &UnsupportedError{Name: name, Missing: refusal.Missing, Provider: refusal.Provider, Err: refusal.Err}
	if refusal.OldKernel {
		u.SinceMajor, u.SinceMinor = since.Major, since.Minor
	}
	return u
}

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

// Engine is a way to move the bytes of many sockets.
type Engine string

// Engines, the best first.
const (
	EngineURingBundle Engine = "uring-bundle" // io_uring, queued messages leaving in bundles
	EngineURing       Engine = "uring"        // io_uring, queued messages leaving in sendmsg requests
	EngineAIO         Engine = "aio"          // Linux AIO for transfers, the runtime's poller for readiness
	EngineSyscall     Engine = "syscall"      // plain system calls and the runtime's poller; always there
)

// EngineRefusal says why an engine cannot be used here.
type EngineRefusal struct {
	Engine Engine

	// Reasons are the errors of the features that are not there, one for each cause: an *UnsupportedError, or what
	// left the question open.
	Reasons []error
}

// engineNeeds is what each engine cannot do without, the deeper cause first.
var engineNeeds = []struct {
	engine   Engine
	features []string
}{
	{EngineURingBundle, append(uringNeeds[:len(uringNeeds):len(uringNeeds)], CanSendBundle)},
	{EngineURing, uringNeeds},
	{EngineAIO, []string{CanAIO, CanAIOSubmit}},
	{EngineSyscall, nil},
}

var uringNeeds = []string{
	CanSetup, CanEnter, CanRegister, CanCgo, CanLiburing,
	probe.FeatNoDrop, CanWaitTimeout, probe.SetupDeferTaskrun, probe.PbufRing,
	"IORING_OP_CONNECT", "IORING_OP_SENDMSG", "IORING_OP_ASYNC_CANCEL", CanAcceptMultishot, CanRecvMultishot,
}

// Engine returns the best engine that has everything it needs here, and why each better one is refused.
func (c *Capabilities) Engine() (Engine, []EngineRefusal) {
	var refusals []EngineRefusal
	for _, n := range engineNeeds {
		reasons := c.lacking(n.features)
		if len(reasons) == 0 {
			return n.engine, refusals
		}
		refusals = append(refusals, EngineRefusal{Engine: n.engine, Reasons: reasons})
	}
	return EngineSyscall, refusals
}

// lacking returns the errors of the features that are not there. Features that lack the same thing, such as
// everything on a kernel where io_uring is disabled, have one error for all.
func (c *Capabilities) lacking(names []string) []error {
	type cause struct{ missing, provider string }
	seen := make(map[cause]bool)
	var reasons []error
	for _, name := range names {
		err := c.Require(name)
		if err == nil {
			continue
		}
		var u *UnsupportedError
		if errors.As(err, &u) {
			why := cause{u.Missing, u.Provider}
			if seen[why] {
				continue
			}
			seen[why] = true
		}
		reasons = append(reasons, err)
	}
	return reasons
}

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

// MarshalJSON describes the capabilities for other programs:
//
//	{"process": {"os", "arch", "kernel", "cgo", "liburing_header", "liburing_library", "seccomp",
//	   "io_uring_disabled", "io_uring_group", "memlock", "nofile", "aio_max_nr", "aio_nr"},
//	 "features": [{"group", "name", "since", "supported", "missing", "provider", "error"}],
//	 "engine": "uring", "refused": [{"engine", "reasons": [...]}]}
//
// Process numbers are null where unknown and "unlimited" where they are. "supported" is true, false, or null where
// the attempt allowed no conclusion, which "error" then explains. Empty texts are left out of features.
func (c *Capabilities) MarshalJSON() ([]byte, error) {
	engine, refusals := c.Engine()
	doc := capabilitiesJSON{
		Process:  describeProcess(c.process),
		Features: make([]featureJSON, 0, len(c.features)),
		Engine:   engine,
		Refused:  make([]refusedJSON, 0, len(refusals)),
	}
	for _, f := range c.features {
		doc.Features = append(doc.Features, describeFeature(f))
	}
	for _, r := range refusals {
		texts := make([]string, 0, len(r.Reasons))
		for _, reason := range r.Reasons {
			texts = append(texts, reason.Error())
		}
		doc.Refused = append(doc.Refused, refusedJSON{r.Engine, texts})
	}
	return json.Marshal(doc)
}

type capabilitiesJSON struct {
	Process  processJSON   `json:"process"`
	Features []featureJSON `json:"features"`
	Engine   Engine        `json:"engine"`
	Refused  []refusedJSON `json:"refused"`
}

type processJSON struct {
	OS              string `json:"os"`
	Arch            string `json:"arch"`
	Kernel          string `json:"kernel"`
	Cgo             bool   `json:"cgo"`
	LiburingHeader  string `json:"liburing_header"`
	LiburingLibrary string `json:"liburing_library"`
	Seccomp         any    `json:"seccomp"`
	IOURingDisabled any    `json:"io_uring_disabled"`
	IOURingGroup    any    `json:"io_uring_group"`
	Memlock         any    `json:"memlock"`
	Nofile          any    `json:"nofile"`
	AIOMaxNr        any    `json:"aio_max_nr"`
	AIONr           any    `json:"aio_nr"`
}

type featureJSON struct {
	Group     string `json:"group"`
	Name      string `json:"name"`
	Since     string `json:"since,omitempty"`
	Supported *bool  `json:"supported"`
	Missing   string `json:"missing,omitempty"`
	Provider  string `json:"provider,omitempty"`
	Error     string `json:"error,omitempty"`
}

type refusedJSON struct {
	Engine  Engine   `json:"engine"`
	Reasons []string `json:"reasons"`
}

func describeProcess(p Process) processJSON {
	return processJSON{
		OS: p.OS, Arch: p.Arch, Kernel: p.Kernel,
		Cgo: p.Cgo, LiburingHeader: p.LiburingHeader, LiburingLibrary: p.LiburingLibrary,
		Seccomp: numberJSON(int64(p.Seccomp)), IOURingDisabled: numberJSON(int64(p.IOURingDisabled)),
		IOURingGroup: numberJSON(int64(p.IOURingGroup)), Memlock: numberJSON(p.Memlock), Nofile: numberJSON(p.Nofile),
		AIOMaxNr: numberJSON(int64(p.AIOMaxNr)), AIONr: numberJSON(int64(p.AIONr)),
	}
}

// numberJSON is a number, nil where it is unknown, or "unlimited".
func numberJSON(n int64) any {
	switch n {
	case -1:
		return nil
	case math.MaxInt64:
		return "unlimited"
	}
	return n
}

func describeFeature(f Feature) featureJSON {
	j := featureJSON{Group: f.Group, Name: f.Name, Since: f.Since}
	if f.Conclusive() {
		j.Supported = &f.Supported
	}
	if f.Err != nil {
		j.Error = f.Err.Error()
	}
	var u *UnsupportedError
	if errors.As(f.Err, &u) {
		j.Missing, j.Provider = u.Missing, u.Provider
	}
	return j
}
