// Package climit is the ceiling of the benchmark: the send-bundle loop in C straight over liburing, run
// as a whole, warm-up included, by one call from Go. What the Go modes lose against it is what the Go
// side of the library costs.
//
// It shares no code with the library that it is there to judge.
package climit

import "time"

// Args describes a run.
type Args struct {
	Conns, Msgs, Size int // a batch: Msgs messages of Size bytes on each of Conns sockets
	Stride            int // bytes from one message to the next in memory, at least Size
	Stamp             bool
	Warmup, Dur       time.Duration
}

// Result is what a run measured.
type Result struct {
	WarmPasses uint64 // batches sent on each connection before the measured window
	Passes     uint64 // and in it
	Elapsed    time.Duration
	CPU        time.Duration // user and system time of the process in the window
	Enters     uint64        // io_uring_enter calls in the window
	Resumed    uint64        // short bundles continued in the window
	SetupFlags uint32        // IORING_SETUP_* granted
}
