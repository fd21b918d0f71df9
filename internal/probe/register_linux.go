package probe

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var registerChecks = []check{
	{GroupRegister, "IORING_REGISTER_BUFFERS", Version{5, 1}, IOURingRegister, tryBuffers},
	{GroupRegister, SparseBuffers, Version{5, 19}, IOURingRegister, trySparseBuffers},
	{GroupRegister, "IORING_REGISTER_CLONE_BUFFERS", Version{6, 12}, IOURingRegister, tryCloneBuffers},
	{GroupRegister, "IORING_REGISTER_FILES", Version{5, 1}, IOURingRegister, tryFiles},
	{GroupRegister, "IORING_REGISTER_FILES_UPDATE", Version{5, 5}, IOURingRegister, tryFilesUpdate},
	{GroupRegister, SparseFiles, Version{5, 19}, IOURingRegister, trySparseFiles},
	{GroupRegister, "IORING_REGISTER_FILE_ALLOC_RANGE", Version{6, 0}, SparseFiles, tryFileAllocRange},
	{GroupRegister, "IORING_REGISTER_EVENTFD", Version{5, 2}, IOURingRegister, tryEventfd},
	{GroupRegister, "IORING_REGISTER_PERSONALITY", Version{5, 6}, IOURingRegister, tryPersonality},
	{GroupRegister, "IORING_REGISTER_RESTRICTIONS", Version{5, 10}, "IORING_SETUP_R_DISABLED", tryRestrictions},
	{GroupRegister, "IORING_REGISTER_IOWQ_MAX_WORKERS", Version{5, 15}, IOURingRegister, tryMaxWorkers},
	{GroupRegister, "IORING_REGISTER_RING_FDS", Version{5, 18}, IOURingRegister, tryRingFds},
	{GroupRegister, "IORING_REGISTER_NAPI", Version{6, 9}, IOURingRegister, tryNAPI},
	{GroupRegister, "IORING_REGISTER_CLOCK", Version{6, 12}, IOURingRegister, tryClock},
	{GroupRegister, "IORING_REGISTER_MEM_REGION", Version{6, 13}, IOURingRegister, tryMemRegion},
	{GroupRegister, "IORING_REGISTER_RESIZE_RINGS", Version{6, 13}, SetupDeferTaskrun, tryResizeRings},
	{GroupRegister, "IORING_REGISTER_SEND_MSG_RING", Version{6, 13}, IOURingRegister, trySendMsgRing},
}

func (p *prober) eventfd() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, answeredHelper("eventfd", err)
	}
	p.later(func() { unix.Close(fd) })
	return fd, nil
}

// tryEventfd has a completion signalled.
func tryEventfd(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	fd, err := p.eventfd()
	if err != nil {
		return err
	}
	file := int32(fd)
	if _, err := register(r, cring.RegisterEventfd, &file, 1); err != nil {
		return err
	}
	p.later(func() { _ = unregister(r, cring.UnregisterEventfd) })
	if err := p.nop(r); err != nil {
		return err
	}
	if err := rawring.WaitReadable(fd, time.Now().Add(p.patience())); err != nil {
		return fmt.Errorf("waiting for the eventfd: %w", err)
	}
	var count [8]byte
	if _, err := unix.Read(fd, count[:]); err != nil {
		return answeredHelper("read", err)
	}
	if binary.NativeEndian.Uint64(count[:]) == 0 {
		return lacking(Version{5, 2}, "no signal for a completion")
	}
	return nil
}

func tryPersonality(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	id, err := register[byte](r, cring.RegisterPersonality, nil, 0)
	if err != nil {
		return err
	}
	_, err = register[byte](r, cring.UnregisterPersonality, nil, id)
	return err
}

// tryRestrictions has a ring take NOPs only, and a request refused.
func tryRestrictions(p *prober) error {
	r, err := p.own(cring.SetupRDisabled)
	if err != nil {
		return err
	}
	allowed := [...]cring.Restriction{
		{Opcode: cring.RestrictionSQEOp, Arg: cring.OpNop},
		{Opcode: cring.RestrictionRegisterOp, Arg: cring.RegisterEnableRings},
	}
	if _, err := register(r, cring.RegisterRestrictions, &allowed[0], len(allowed)); err != nil {
		return err
	}
	if err := unregister(r, cring.RegisterEnableRings); err != nil {
		return err
	}
	if err := p.nop(r); err != nil {
		return err
	}
	_, err = p.do(r, cring.SQE{Opcode: cring.OpFsync, Fd: -1})
	if errnoOf(err) == unix.EACCES {
		return nil
	}
	return lacking(Version{5, 10}, "a request that was not allowed gave %v", err)
}

// tryMaxWorkers asks for the limits and changes none: they belong to the thread, not to the ring.
func tryMaxWorkers(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	_, err = register(r, cring.RegisterIOWQMaxWorkers, &[2]uint32{}, 2)
	return err
}

// tryRingFds enters the ring through its registered index.
func tryRingFds(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	const anyIndex = 1<<32 - 1
	ring := &cring.FilesUpdate{Offset: anyIndex, Fds: uint64(r.Fd)}
	if _, err := register(r, cring.RegisterRingFds, ring, 1); err != nil {
		return err
	}
	p.later(func() { _, _ = register(r, cring.UnregisterRingFds, &cring.FilesUpdate{Offset: ring.Offset}, 1) })
	if _, err := r.EnterFd(int(ring.Offset), 0, 0, cring.EnterRegisteredRing, nil); err != nil {
		return answeredCall("io_uring_enter", err)
	}
	return nil
}

func tryNAPI(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	if _, err := register(r, cring.RegisterNAPI, &cring.NapiConf{BusyPollTo: 1}, 1); err != nil {
		return err
	}
	_, err = register(r, cring.UnregisterNAPI, &cring.NapiConf{}, 1)
	return err
}

// tryClock sets the clock that rings use anyway.
func tryClock(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	_, err = register(r, cring.RegisterClock, &cring.ClockRegister{Clockid: unix.CLOCK_MONOTONIC}, 0)
	return err
}

// tryMemRegion gives a page to a ring of its own, as nothing but the end of the ring takes it back.
func tryMemRegion(p *prober) error {
	mem, err := p.arena()
	if err != nil {
		return err
	}
	r, err := p.own(0)
	if err != nil {
		return err
	}
	size := os.Getpagesize()
	page := mem.Bytes(size, size)
	desc := rawring.Alloc[cring.RegionDesc](mem)
	*desc = cring.RegionDesc{UserAddr: rawring.Addr(&page[0]), Size: uint64(size), Flags: cring.MemRegionTypeUser}
	_, err = register(r, cring.RegisterMemRegion, &cring.MemRegionReg{RegionUptr: rawring.Addr(desc)}, 1)
	return err
}

// tryResizeRings resizes a ring and closes it: its mappings are those of the old size, so that nothing may use it
// after.
func tryResizeRings(p *prober) error {
	r, err := p.own(cring.SetupSingleIssuer | cring.SetupDeferTaskrun)
	if err != nil {
		return err
	}
	larger := &cring.Params{SQEntries: 2 * ringEntries, CQEntries: 4 * ringEntries, Flags: cring.SetupCQSize}
	_, err = register(r, cring.RegisterResizeRings, larger, 1)
	return err
}

// trySendMsgRing posts a completion to a ring from outside.
func trySendMsgRing(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	const id, result = 1 << 62, 7
	message := &cring.SQE{Opcode: cring.OpMsgRing, Fd: int32(r.Fd), Addr: cring.MsgData, Off: id, Len: result}
	// SAFETY: the kernel reads message during the call only.
	if err := rawring.RegisterNoRing(cring.RegisterSendMsgRing, unsafe.Pointer(message), 1); err != nil {
		return answeredCall("io_uring_register", err)
	}
	c, err := p.await(r, id, cring.OpMsgRing)
	if err == nil && c.Res != result {
		err = lacking(Version{6, 13}, "sent %d, got %d", result, c.Res)
	}
	return err
}
