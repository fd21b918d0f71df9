package bench

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sockring/uring/examples/internal/proto"
	"github.com/sockring/uring/examples/internal/sink"
)

// checkTotals holds what the sink received against what the sender says it sent, connection by
// connection: the number of bytes always, and in a verified run the hash of the stream. The hash that a
// stream must have follows from its definition alone, so no sender has a say in it.
func checkTotals(job proto.Job, result proto.Result, totals []sink.Total) error {
	if len(totals) != job.Conns {
		return fmt.Errorf("%w: %d connections of %d", ErrLost, len(totals), job.Conns)
	}
	seen := make([]bool, job.Conns)
	for _, t := range totals {
		if t.Error != "" {
			return fmt.Errorf("%w: connection %d: %s", ErrLost, t.Index, t.Error)
		}
		if t.Index < 0 || t.Index >= job.Conns || seen[t.Index] {
			return fmt.Errorf("%w: connection %d twice or out of range", ErrLost, t.Index)
		}
		seen[t.Index] = true
		sent := result.Sent[t.Index]
		if want := sent * uint64(job.Size); t.Bytes != want {
			return fmt.Errorf("%w: connection %d: %d bytes of %d", ErrLost, t.Index, t.Bytes, want)
		}
		if !job.Verify {
			continue
		}
		want := proto.StreamHash(job, t.Index, sent)
		if t.SHA256 != hex.EncodeToString(want[:]) {
			return fmt.Errorf("%w: connection %d: SHA-256 of the stream is %s, want %x", ErrLost, t.Index,
				t.SHA256, want)
		}
	}
	return nil
}

// sampleOf turns a sender's result into figures. A peer that does not report its CPU time is charged that
// of its whole life, spread over all that it sent.
func sampleOf(job proto.Job, r proto.Result, lifeCPU time.Duration) Sample {
	seconds := time.Duration(r.ElapsedNS).Seconds()
	messages := float64(r.Messages)
	s := Sample{
		MsgsPerS:       messages / seconds,
		MBPerS:         messages * float64(job.Size) / seconds / 1e6,
		CPUNSPerMsg:    float64(r.CPUNS) / messages,
		SyscallsPerMsg: float64(r.Syscalls) / messages,
		Counted:        r.Syscalls > 0,
	}
	if r.CPUNS == 0 {
		var sent uint64
		for _, n := range r.Sent {
			sent += n
		}
		s.CPUNSPerMsg = float64(lifeCPU) / float64(sent)
	}
	return s
}
