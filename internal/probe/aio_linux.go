package probe

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/rawring"
)

var aioChecks = []check{
	{GroupAIO, AIOSetup, Version{2, 6}, "", tryAIOSetup},
	{GroupAIO, AIORing, Version{2, 6}, AIOSetup, tryAIORing},
	{GroupAIO, AIOSubmit, Version{2, 6}, AIOSetup, tryAIOSubmit},
	{GroupAIO, AIOPoll, Version{4, 18}, AIOSubmit, tryAIOPoll},
	{GroupAIO, AIOPgetevents, Version{4, 18}, AIOSetup, tryPgetevents},
}

const aioRequests = 8

// aioContext is an aio_context_t: the address at which the kernel mapped the completion ring.
type aioContext uintptr

// aioRing is the head of that ring, struct aio_ring of fs/aio.c.
type aioRing struct {
	_                [4]uint32 // id, nr, head, tail
	magic            uint32
	_                uint32 // compat_features
	incompatFeatures uint32
	headerLength     uint32
}

const aioRingMagic = 0xa10a10a1

// iocb mirrors struct iocb of <linux/aio_abi.h>.
type iocb struct {
	_      uint64    // data
	_      [2]uint32 // key, rw_flags
	opcode uint16
	_      int16 // reqprio
	fd     uint32
	buf    uint64
	nbytes uint64
	_      [2]uint64 // offset, reserved
	_      [2]uint32 // flags, resfd
}

// Opcodes of an iocb.
const (
	iocbPoll    = 5
	iocbPwritev = 8
)

// ioEvent mirrors struct io_event of <linux/aio_abi.h>.
type ioEvent struct {
	_   [2]uint64 // data, obj
	res int64
	_   int64 // res2
}

// tryAIOSetup makes the context that the other attempts share, because destroying one takes the kernel tens of
// milliseconds.
func tryAIOSetup(p *prober) error {
	_, err := p.aioContext()
	return err
}

func (p *prober) aioContext() (aioContext, error) {
	if p.aio != 0 {
		return p.aio, nil
	}
	var ctx aioContext
	// SAFETY: the kernel writes the context to ctx during the call.
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, aioRequests, uintptr(unsafe.Pointer(&ctx)), 0)
	switch {
	case errno == 0:
		p.aio = ctx
		return ctx, nil
	case errno == unix.EAGAIN && p.facts.AIOMaxNr == 0:
		return 0, &Refusal{Missing: "fs.aio-max-nr=0", Provider: "a higher fs.aio-max-nr", Err: errno}
	case errno == unix.EAGAIN:
		return 0, fmt.Errorf("%w (fs.aio-nr is %d of fs.aio-max-nr %d)",
			answeredCall("io_setup", errno), p.facts.AIONr, p.facts.AIOMaxNr)
	}
	return 0, answeredCall("io_setup", errno)
}

// dropAIO destroys the context, which waits until the kernel has let go of its requests.
func (p *prober) dropAIO() {
	if p.aio != 0 {
		_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, uintptr(p.aio), 0, 0)
		p.aio = 0
	}
}

// tryAIORing looks whether completions can be read from the mapped ring.
func tryAIORing(p *prober) error {
	ctx, err := p.aioContext()
	if err != nil {
		return err
	}
	// SAFETY: the context is the address of a mapping that begins with an aio_ring and stays until io_destroy. It is
	// no Go memory, which is why the number is read as a pointer instead of being converted to one.
	ring := *(**aioRing)(unsafe.Pointer(&ctx))
	if ring.magic != aioRingMagic || ring.incompatFeatures != 0 || ring.headerLength != uint32(unsafe.Sizeof(*ring)) {
		return &Refusal{Missing: fmt.Sprintf("magic %#x, incompatible features %#x and header length %d",
			ring.magic, ring.incompatFeatures, ring.headerLength)}
	}
	return nil
}

// tryAIOSubmit writes to a socket.
func tryAIOSubmit(p *prober) error {
	mem, err := p.arena()
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	event, err := p.aioDo(mem, iocb{
		opcode: iocbPwritev, fd: uint32(here), buf: rawring.Addr(vector(mem)), nbytes: 2,
	})
	if err != nil {
		return err
	}
	if event.res != int64(len(text)) {
		return &Refusal{Missing: fmt.Sprintf("IOCB_CMD_PWRITEV to a socket gave %d", event.res)}
	}
	return p.sent(there, text, Version{2, 6})
}

// tryAIOPoll asks for the readiness of a socket that has data.
func tryAIOPoll(p *prober) error {
	mem, err := p.arena()
	if err != nil {
		return err
	}
	here, there, err := p.socketpair()
	if err != nil {
		return err
	}
	if err := write(there, text); err != nil {
		return err
	}
	event, err := p.aioDo(mem, iocb{opcode: iocbPoll, fd: uint32(here), buf: unix.POLLIN})
	if err != nil {
		return err
	}
	if event.res&unix.POLLIN == 0 {
		return lacking(Version{4, 18}, "IOCB_CMD_POLL gave %#x", event.res)
	}
	return nil
}

// aioDo submits one request and waits for its event. If that fails the context goes, and the request with it.
func (p *prober) aioDo(mem *rawring.Arena, request iocb) (event ioEvent, err error) {
	ctx, err := p.aioContext()
	if err != nil {
		return ioEvent{}, err
	}
	defer func() {
		if err != nil {
			p.dropAIO()
		}
	}()
	cb := rawring.Alloc[iocb](mem)
	*cb = request
	list := rawring.Alloc[uint64](mem)
	*list = rawring.Addr(cb)
	n, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, uintptr(ctx), 1, uintptr(rawring.Addr(list)))
	if errno != 0 || n != 1 {
		return ioEvent{}, answeredCall("io_submit", errno)
	}
	events := rawring.Alloc[ioEvent](mem)
	until := rawring.Alloc[unix.Timespec](mem)
	for deadline := time.Now().Add(p.patience()); ; {
		*until = unix.NsecToTimespec(max(0, time.Until(deadline).Nanoseconds()))
		n, _, errno = unix.Syscall6(unix.SYS_IO_GETEVENTS, uintptr(ctx), 1, 1, uintptr(rawring.Addr(events)),
			uintptr(rawring.Addr(until)), 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return ioEvent{}, answeredCall("io_getevents", errno)
		case n == 0:
			return ioEvent{}, errors.New("io_getevents: no event in time")
		default:
			return *events, nil
		}
	}
}

// tryPgetevents looks for events without waiting; there are none.
func tryPgetevents(p *prober) error {
	ctx, err := p.aioContext()
	if err != nil {
		return err
	}
	var none ioEvent
	var now unix.Timespec
	// SAFETY: the kernel reads and writes both during the call only.
	_, _, errno := unix.Syscall6(unix.SYS_IO_PGETEVENTS, uintptr(ctx), 0, 1, uintptr(unsafe.Pointer(&none)),
		uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		return answeredCall("io_pgetevents", errno)
	}
	return nil
}
