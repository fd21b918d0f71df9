//go:build linux

package socketops

import (
	"log/slog"
	"sync/atomic"
)

// meter is where a driver counts what it does, and says what goes wrong.
type meter struct {
	log *slog.Logger // or nil

	submits, requests, completions atomic.Uint64
	wakeUps                        atomic.Uint64
	bundles, bundleMessages        atomic.Uint64
	batches, batchOperations       atomic.Uint64
}

// submitted counts system calls that handed requests to io_uring, and those requests.
func (m *meter) submitted(calls, requests uint64) {
	m.submits.Add(calls)
	m.requests.Add(requests)
}

// bundled counts sends that leave together.
func (m *meter) bundled(messages int) {
	m.bundles.Add(1)
	m.bundleMessages.Add(uint64(messages))
}

// batched counts an io_submit(2) by the operations that it took.
func (m *meter) batched(operations int) {
	m.batches.Add(1)
	m.batchOperations.Add(uint64(operations))
}

func (m *meter) read(s *EngineStats) {
	s.Submits, s.Requests, s.Completions = m.submits.Load(), m.requests.Load(), m.completions.Load()
	s.WakeUps = m.wakeUps.Load()
	s.Bundles, s.BundleMessages = m.bundles.Load(), m.bundleMessages.Load()
	s.Batches, s.BatchOperations = m.batches.Load(), m.batchOperations.Load()
}

// chosen tells which backend serves.
func (m *meter) chosen(b Backend) {
	if m.log != nil {
		m.log.Info("socketops: backend serves", "backend", string(b))
	}
}

// refused tells why a backend does not serve. One that was asked for by its name has New fail, which says the same.
func (m *meter) refused(r Refusal, forced bool) {
	switch {
	case m.log == nil:
	case forced:
		m.log.Debug("socketops: backend refused", "backend", string(r.Backend), "error", r.Err)
	default:
		m.log.Warn("socketops: backend refused", "backend", string(r.Backend), "error", r.Err)
	}
}

// degraded tells what works less well than it should.
func (m *meter) degraded(what string, args ...any) {
	if m.log != nil {
		m.log.Warn("socketops: "+what, args...)
	}
}

// failed tells that the backend has stopped working. No lock is held.
func (m *meter) failed(b Backend, err error) {
	if m.log != nil {
		m.log.Error("socketops: backend failed", "backend", string(b), "error", err)
	}
}
