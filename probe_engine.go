package uring

import (
	"errors"

	"github.com/sockring/uring/internal/probe"
)

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
