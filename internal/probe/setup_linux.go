package probe

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var setupChecks = []check{
	setupCheck("IOPOLL", Version{5, 1}, cring.SetupIOPoll),
	setupCheck("SQPOLL", Version{5, 1}, cring.SetupSQPoll),
	{GroupSetup, "IORING_SETUP_SQ_AFF", Version{5, 1}, "IORING_SETUP_SQPOLL", trySQAff},
	{GroupSetup, "IORING_SETUP_CQSIZE", Version{5, 5}, IOURingSetup, tryCQSize},
	{GroupSetup, "IORING_SETUP_CLAMP", Version{5, 6}, IOURingSetup, tryClamp},
	{GroupSetup, "IORING_SETUP_ATTACH_WQ", Version{5, 6}, IOURingSetup, tryAttachWQ},
	setupCheck("R_DISABLED", Version{5, 10}, cring.SetupRDisabled),
	setupCheck("SUBMIT_ALL", Version{5, 18}, cring.SetupSubmitAll),
	setupCheck("COOP_TASKRUN", Version{5, 19}, cring.SetupCoopTaskrun),
	setupCheck("TASKRUN_FLAG", Version{5, 19}, cring.SetupTaskrunFlag|cring.SetupCoopTaskrun),
	setupCheck("SQE128", Version{5, 19}, cring.SetupSQE128),
	setupCheck("CQE32", Version{5, 19}, cring.SetupCQE32),
	setupCheck("SINGLE_ISSUER", Version{6, 0}, cring.SetupSingleIssuer),
	{GroupSetup, SetupDeferTaskrun, Version{6, 1}, SetupSingleIssuer, tryDeferTaskrun},
	{GroupSetup, "IORING_SETUP_NO_MMAP", Version{6, 5}, IOURingSetup, tryNoMmap},
	{GroupSetup, "IORING_SETUP_REGISTERED_FD_ONLY", Version{6, 5}, "IORING_SETUP_NO_MMAP", tryRegisteredFdOnly},
	setupCheck("NO_SQARRAY", Version{6, 6}, cring.SetupNoSQArray),
	setupCheck("HYBRID_IOPOLL", Version{6, 13}, cring.SetupHybridIOPoll|cring.SetupIOPoll),
	setupCheck("CQE_MIXED", Version{6, 18}, cring.SetupCQEMixed),
	setupCheck("SQE_MIXED", Version{6, 19}, cring.SetupSQEMixed),
	setupCheck("SQ_REWIND", Version{7, 0}, cring.SetupSQRewind|cring.SetupNoSQArray),
}

// setupCheck is for a flag that needs nothing but other flags.
func setupCheck(name string, since Version, flags uint32) check {
	return check{GroupSetup, "IORING_SETUP_" + name, since, IOURingSetup, func(p *prober) error {
		return p.create(ringEntries, &cring.Params{Flags: flags})
	}}
}

// create makes a ring and closes it again.
func (p *prober) create(entries uint32, params *cring.Params) error {
	fd, err := rawring.Create(entries, params)
	if err != nil {
		return answeredCall(setupCall, err)
	}
	p.later(func() { unix.Close(fd) })
	return nil
}

// trySQAff binds the polling thread to a CPU that this thread may use.
func trySQAff(p *prober) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return answeredHelper("sched_getaffinity", err)
	}
	cpu := 0
	for cpu < 64*len(set) && !set.IsSet(cpu) {
		cpu++
	}
	return p.create(ringEntries, &cring.Params{
		Flags: cring.SetupSQPoll | cring.SetupSQAff, SQThreadCPU: uint32(cpu),
	})
}

func tryCQSize(p *prober) error {
	const asked = 8 * ringEntries // the kernel's own choice is twice the entries
	params := cring.Params{Flags: cring.SetupCQSize, CQEntries: asked}
	if err := p.create(ringEntries, &params); err != nil {
		return err
	}
	if params.CQEntries != asked {
		return lacking(Version{5, 5}, "asked for %d completions, got %d", asked, params.CQEntries)
	}
	return nil
}

// tryClamp asks for fewer entries than the limit, as a ring of the largest size takes megabytes. The flag is known or
// not.
func tryClamp(p *prober) error {
	return p.create(ringEntries, &cring.Params{Flags: cring.SetupClamp})
}

func tryAttachWQ(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	return p.create(ringEntries, &cring.Params{Flags: cring.SetupAttachWQ, WQFd: uint32(r.Fd)})
}

// tryDeferTaskrun has a request complete too, as such rings complete only inside a wait.
func tryDeferTaskrun(p *prober) error {
	r, err := p.own(cring.SetupSingleIssuer | cring.SetupDeferTaskrun)
	if err != nil {
		return err
	}
	return p.nop(r)
}

// tryNoMmap lets the kernel put a ring into memory of ours.
func tryNoMmap(p *prober) error {
	params, err := p.noMmap(cring.SetupNoMmap)
	if err != nil {
		return err
	}
	return p.create(1, params)
}

// noMmap prepares the set-up of a ring of one entry in memory of ours. The kernel wants each part on pages that are
// next to each other, so that each gets one page.
//
// Ownership: a ring that is closed stores its tail and flags once more when a worker of the kernel takes it apart, some
// milliseconds later. The pages stay the kernel's until then, so that they are unmapped with the attempt and never
// handed out again.
func (p *prober) noMmap(flags uint32) (*cring.Params, error) {
	page := os.Getpagesize()
	mem, err := rawring.NewArena(2 * page)
	if err != nil {
		return nil, answeredHelper("mmap", err)
	}
	p.later(mem.Free)
	params := &cring.Params{Flags: flags}
	params.SQOff.UserAddr = rawring.Addr(&mem.Bytes(page, page)[0])
	params.CQOff.UserAddr = rawring.Addr(&mem.Bytes(page, page)[0])
	return params, nil
}

// tryRegisteredFdOnly makes a ring that has a registered index and no descriptor.
func tryRegisteredFdOnly(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	params, err := p.noMmap(cring.SetupNoMmap | cring.SetupRegisteredFdOnly)
	if err != nil {
		return err
	}
	index, err := rawring.Create(1, params)
	if err != nil {
		return answeredCall(setupCall, err)
	}
	_, err = register(r, cring.UnregisterRingFds, &cring.FilesUpdate{Offset: uint32(index)}, 1)
	return err
}
