package probe

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// checks lists every feature in the order of the attempts: what others need comes first.
func checks() []check {
	return slices.Concat(
		processChecks, libraryChecks, setupChecks, featureChecks(), opChecks(), registerChecks, waitChecks, bufferChecks,
		sendChecks, receiveChecks, aioChecks,
	)
}

var processChecks = []check{
	{GroupProcess, IOURingSetup, setupSince, "", trySetup},
	{GroupProcess, IOURingEnter, setupSince, IOURingSetup, tryEnter},
	{GroupProcess, IOURingRegister, setupSince, IOURingSetup, tryRegister},
}

// trySetup makes the ring that most later attempts share.
func trySetup(p *prober) error {
	_, _, err := p.shared()
	if errno := errnoOf(err); errno != 0 {
		return refusedSetup(errno, &p.facts)
	}
	return err
}

func tryEnter(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	return p.nop(r)
}

// tryRegister asks for an operation that no kernel has: EINVAL is the kernel's own answer.
func tryRegister(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	err = unregister(r, 1<<16)
	if errnoOf(err) == unix.EINVAL {
		return nil
	}
	return err
}

func featureChecks() []check {
	list := make([]check, 0, len(features))
	for _, f := range features {
		list = append(list, check{GroupFeature, f.name, f.since, IOURingSetup, func(p *prober) error {
			r, _, err := p.shared()
			if err != nil {
				return err
			}
			if r.Params.Features&f.bit == 0 {
				return lacking(f.since, "%s is not set", f.name)
			}
			return nil
		}})
	}
	return list
}

func opChecks() []check {
	list := []check{{GroupRegister, RegisterProbe, Version{5, 6}, IOURingRegister, tryProbe}}
	for _, o := range ops {
		list = append(list, check{GroupOp, o.name, o.since, RegisterProbe, func(p *prober) error {
			if err := tryProbe(p); err != nil {
				return err
			}
			if p.ops.Ops[o.code].Flags&cring.OpSupported == 0 {
				return lacking(o.since, "the kernel's probe does not list it")
			}
			return nil
		}})
	}
	return list
}

// tryProbe asks the kernel once which opcodes it has.
func tryProbe(p *prober) error {
	if p.ops != nil {
		return nil
	}
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	// Zero flags for what an older kernel does not know, as the kernel leaves those alone.
	answer := new(cring.Probe)
	if _, err := register(r, cring.RegisterProbe, answer, len(answer.Ops)); err != nil {
		return err
	}
	p.ops = answer
	return nil
}
