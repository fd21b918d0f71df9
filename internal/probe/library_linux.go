package probe

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

var libraryChecks = []check{
	{GroupProcess, Cgo, Version{}, "", tryCgo},
	{GroupProcess, Liburing, Version{}, Cgo, tryLiburing},
}

func tryCgo(*prober) error {
	if cring.Supported {
		return nil
	}
	return &Refusal{
		Missing:  "this binary was built without cgo",
		Provider: "a build with CGO_ENABLED=1 and liburing 2.3 or newer",
	}
}

// tryLiburing has liburing make a ring and pass a NOP through it.
func tryLiburing(p *prober) error {
	if setup := p.results[IOURingSetup]; setup.Err != nil {
		return setup.Err
	}
	r, ret := cring.Setup(ringEntries, &cring.Params{})
	if ret < 0 {
		return answeredCall("io_uring_queue_init_params", unix.Errno(-ret))
	}
	defer r.Exit()
	*r.SQETail++
	r.SQEs[0] = cring.SQE{Opcode: cring.OpNop, Fd: -1}
	if ret := r.Wait(1, cring.Timespec{Sec: int64(attemptPatience / time.Second)}); ret < 0 {
		return answeredCall("io_uring_submit_and_wait", unix.Errno(-ret))
	}
	if done := atomic.LoadUint32(r.CQTail) - *r.CQHead; done != 1 {
		return fmt.Errorf("%d completions of one request", done)
	}
	return nil
}
