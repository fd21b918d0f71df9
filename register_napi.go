package uring

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var (
	opNAPI = registerOp{cring.RegisterNAPI, "IORING_REGISTER_NAPI", probe.Version{Major: 6, Minor: 9}, 1}

	opNAPIUnregister = registerOp{
		cring.UnregisterNAPI, "IORING_UNREGISTER_NAPI",
		probe.Version{Major: 6, Minor: 9},
		1,
	}
)

// NAPI says how waits on a ring poll the network devices of its sockets themselves, instead of sleeping until an
// interrupt.
type NAPI struct {
	BusyPoll       time.Duration // how long to poll before sleeping, rounded down to microseconds, at most 71 minutes
	PreferBusyPoll bool          // as the socket option SO_PREFER_BUSY_POLL
}

// RegisterNAPI has waits on the ring busy-poll, and returns the settings before. It wraps io_uring_register_napi(3).
// Since 6.9, in kernels that are built with CONFIG_NET_RX_BUSY_POLL.
func (r *Ring) RegisterNAPI(conf NAPI) (NAPI, error) {
	return r.napi(opNAPI, "register NAPI", conf)
}

// UnregisterNAPI ends the busy-polling and returns the settings before. It wraps io_uring_unregister_napi(3). Since
// 6.9.
func (r *Ring) UnregisterNAPI() (NAPI, error) {
	return r.napi(opNAPIUnregister, "unregister NAPI", NAPI{})
}

func (r *Ring) napi(op registerOp, what string, conf NAPI) (NAPI, error) {
	if err := r.owned(); err != nil {
		return NAPI{}, err
	}
	usec := conf.BusyPoll.Microseconds()
	if usec < 0 || usec > math.MaxUint32 {
		return NAPI{}, fmt.Errorf("uring: %s: busy poll of %v: %w", what, conf.BusyPoll, unix.EINVAL)
	}
	arg := cring.NapiConf{BusyPollTo: uint32(usec)}
	if conf.PreferBusyPoll {
		arg.PreferBusyPoll = 1
	}
	_, err := r.register(op, what, unsafe.Pointer(&arg), 1) // SAFETY: read and written during the call only.
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = &UnsupportedError{
			Name: op.name, Missing: "the kernel was built without busy-polling",
			Provider: "a kernel with CONFIG_NET_RX_BUSY_POLL", Err: err,
		}
	}
	if err != nil {
		return NAPI{}, err
	}
	return NAPI{
		BusyPoll: time.Duration(arg.BusyPollTo) * time.Microsecond, PreferBusyPoll: arg.PreferBusyPoll != 0,
	}, nil
}
