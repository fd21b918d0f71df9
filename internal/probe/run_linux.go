package probe

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

const (
	attemptPatience = time.Second     // for one answer of the kernel
	memoryPatience  = time.Second     // for the kernel to give back what closed rings held, in all
	budget          = 5 * time.Second // for the whole probe
	ringEntries     = 8
	arenaPages      = 16
)

// check is how to find out about one feature.
type check struct {
	group, name string
	since       Version
	needs       string // a feature to be there first, whose refusal is this one's too; may be empty
	try         func(*prober) error
}

// prober makes the attempts, one after the other on one thread.
type prober struct {
	facts    Facts
	deadline time.Time
	memory   time.Duration // what is left of memoryPatience
	results  map[string]Result
	cleanups []func()

	ring *rawring.Ring  // a plain ring that the attempts share while they leave it idle
	mem  *rawring.Arena // what requests name by address, for one attempt at a time
	ops  *cring.Probe   // what IORING_REGISTER_PROBE said
	aio  aioContext     // zero where there is none
}

// errBudget leaves a question open because answering the others took too long.
var errBudget = errors.New("the probe ran out of time")

// Run tries every feature but those that known already has a verdict for, and returns them group by group. It leaves
// no descriptor, thread or mapping behind, and takes no longer than a few seconds, usually some tens of milliseconds.
func Run(known func(name string) (Result, bool)) (Facts, []Result) {
	// Some of what rings hold on to belongs to the thread that made them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &prober{
		facts:    system.facts(),
		deadline: time.Now().Add(budget),
		memory:   memoryPatience,
		results:  make(map[string]Result),
	}
	defer p.close()
	var results []Result
	for _, c := range checks() {
		r, ok := known(c.name)
		if !ok {
			r = Result{Group: c.group, Name: c.name, Since: c.since, Err: p.attempt(&c)}
		}
		p.results[c.name] = r
		results = append(results, r)
	}
	slices.SortStableFunc(results, func(a, b Result) int {
		return slices.Index(Groups, a.Group) - slices.Index(Groups, b.Group)
	})
	return p.facts, results
}

// attempt finds out about one feature.
func (p *prober) attempt(c *check) error {
	if err := p.needed(c); err != nil {
		return err
	}
	var err error = unix.EINTR
	for errors.Is(err, unix.EINTR) { // A call that a signal ended says nothing.
		if time.Now().After(p.deadline) {
			return errBudget
		}
		err = p.once(c)
	}
	// Kernels that count rings towards RLIMIT_MEMLOCK may still count those of earlier attempts, which are closed: a
	// small limit, as containers have it, must not look as if it allowed for no ring at all.
	for wait := time.Millisecond; p.memory > 0 && p.lacksMemory(err); wait *= 2 {
		start := time.Now()
		time.Sleep(wait)
		err = p.once(c)
		p.memory -= time.Since(start)
	}
	return refused(err, c.since, &p.facts)
}

// once makes an attempt and cleans up.
func (p *prober) once(c *check) error {
	defer p.cleanUp()
	return c.try(p)
}

// lacksMemory reports whether there was no memory for an attempt because of RLIMIT_MEMLOCK.
func (p *prober) lacksMemory(err error) bool {
	return errors.Is(err, unix.ENOMEM) && limitsMemlock(&p.facts)
}

// needed passes on the verdict about the feature that c needs first, where that is not there.
func (p *prober) needed(c *check) error {
	if c.needs == "" {
		return nil
	}
	need, ok := p.results[c.needs]
	if !ok {
		panic("probe: " + c.name + " needs " + c.needs + ", which is tried later or never")
	}
	var refusal *Refusal
	switch {
	case need.Err == nil:
		return nil
	case !errors.As(need.Err, &refusal):
		return fmt.Errorf("%s is uncertain: %w", c.needs, need.Err)
	case refusal.OldKernel:
		return lacking(c.since, "no %s", c.needs)
	}
	return refusal
}

// later has f called when the attempt is over; the last call comes first.
func (p *prober) later(f func()) { p.cleanups = append(p.cleanups, f) }

// cleanUp ends an attempt. Requests end before the descriptors and the memory that they use.
func (p *prober) cleanUp() {
	if p.ring != nil && !p.ring.Idle() {
		p.drop(p.ring)
		p.ring = nil
	}
	for len(p.cleanups) > 0 {
		last := len(p.cleanups) - 1
		f := p.cleanups[last]
		p.cleanups = p.cleanups[:last]
		f()
	}
	if p.mem != nil {
		p.mem.Reset()
	}
}

// drop closes a ring. If the kernel does not let go of its requests, their memory is never given back: that leaks it,
// but unmapped memory may become somebody else's, whom a late write would hit.
func (p *prober) drop(r *rawring.Ring) {
	if !r.Close() {
		p.mem = nil
	}
}

func (p *prober) close() {
	p.dropAIO()
	if p.ring != nil {
		p.drop(p.ring)
	}
	if p.mem != nil {
		p.mem.Free()
	}
}

// patience is how long the attempt may wait for the kernel.
func (p *prober) patience() time.Duration { return min(attemptPatience, time.Until(p.deadline)) }

// arena returns memory that is the attempt's until it is over.
func (p *prober) arena() (*rawring.Arena, error) {
	if p.mem == nil {
		mem, err := rawring.NewArena(arenaPages * unix.Getpagesize())
		if err != nil {
			return nil, answeredHelper("mmap", err)
		}
		p.mem = mem
	}
	return p.mem, nil
}

// shared returns the ring that attempts share, and their memory.
func (p *prober) shared() (*rawring.Ring, *rawring.Arena, error) {
	mem, err := p.arena()
	if err != nil {
		return nil, nil, err
	}
	if p.ring == nil {
		if p.ring, err = rawring.New(ringEntries, 0); err != nil {
			return nil, nil, answeredCall(setupCall, err)
		}
	}
	return p.ring, mem, nil
}

// own makes a ring for this attempt alone.
func (p *prober) own(flags uint32) (*rawring.Ring, error) {
	r, err := rawring.New(ringEntries, flags)
	if err != nil {
		return nil, answeredCall(setupCall, err)
	}
	p.later(func() { p.drop(r) })
	return r, nil
}
