//go:build linux

package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// batcher is what a mode written in Go has to offer.
type batcher interface {
	// stamp numbers the messages as those of the given batch.
	stamp(batch uint64)
	// pass sends one batch on every connection, and returns when the kernel has taken all of it, or finish sees to
	// it.
	pass() error
	// syscalls counts the calls into the kernel that passes have made; it is 0 where that is not known.
	syscalls() uint64
	// close closes the connections and frees the messages.
	close()
}

// finisher is a batcher that may hold messages back after a pass.
type finisher interface {
	// finish returns when the kernel has taken everything.
	finish() error
}

// opener connects and makes the job's messages ready. One goroutine opens, passes and closes.
type opener func(proto.Job) (batcher, error)

// inGo makes a mode of a batcher.
func inGo(open opener) func(proto.Job) (proto.Result, error) {
	return func(job proto.Job) (proto.Result, error) {
		b, err := open(job)
		if err != nil {
			return proto.Result{}, err
		}
		defer b.close()
		return drive(b, job)
	}
}

// reading is the state of the counters at one end of the measured window.
type reading struct {
	at       time.Time
	cpu      time.Duration
	syscalls uint64
}

// drive makes passes for the job's warm-up and then for its measured window.
func drive(b batcher, job proto.Job) (proto.Result, error) {
	warm, err := passesFor(b, job, job.Warmup, 0)
	if err != nil {
		return proto.Result{}, err
	}
	start, err := read(b)
	if err != nil {
		return proto.Result{}, err
	}
	passes, err := passesFor(b, job, job.Dur, warm)
	if err != nil {
		return proto.Result{}, err
	}
	end, err := read(b)
	if err != nil {
		return proto.Result{}, err
	}
	return result(job, warm, passes, end.at.Sub(start.at), end.cpu-start.cpu, end.syscalls-start.syscalls), nil
}

// passesFor makes passes for the given time, at least one, with one look at the clock a pass. Everything has left
// when it returns, within the time that is measured.
func passesFor(b batcher, job proto.Job, d time.Duration, done uint64) (uint64, error) {
	start := time.Now()
	for n := uint64(0); ; {
		if job.Verify {
			b.stamp(done + n)
		}
		if err := b.pass(); err != nil {
			return 0, err
		}
		n++
		if time.Since(start) < d {
			continue
		}
		if f, ok := b.(finisher); ok {
			return n, f.finish()
		}
		return n, nil
	}
}

func read(b batcher) (reading, error) {
	calls := b.syscalls()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return reading{}, os.NewSyscallError("getrusage", err)
	}
	return reading{
		at:       time.Now(),
		cpu:      time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		syscalls: calls,
	}, nil
}

// result turns passes into what a sender reports.
func result(job proto.Job, warm, passes uint64, elapsed, cpu time.Duration, syscalls uint64) proto.Result {
	sent := make([]uint64, job.Conns)
	for i := range sent {
		sent[i] = (warm + passes) * uint64(job.Msgs)
	}
	return proto.Result{
		Messages:  passes * uint64(job.Msgs) * uint64(job.Conns),
		ElapsedNS: int64(elapsed),
		CPUNS:     int64(cpu),
		Syscalls:  syscalls,
		Sent:      sent,
	}
}
