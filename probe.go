package uring

import (
	"errors"
	"fmt"
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
