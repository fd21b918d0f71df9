//go:build linux

package machine

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of /proc/stat, in ticks a second: the same on every Linux that Go runs on.
const userHZ = 100

// Usage is how much CPU time the machine and this process with its ended children have used so far.
type Usage struct {
	total, busy, own time.Duration
}

// ReadUsage reads the counters.
func ReadUsage() (Usage, error) {
	total, busy, err := cpuTimes()
	if err != nil {
		return Usage{}, err
	}
	u := Usage{total: total, busy: busy}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if err := unix.Getrusage(who, &r); err != nil {
			return Usage{}, os.NewSyscallError("getrusage", err)
		}
		u.own += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u, nil
}

// Others returns which part of all CPUs' time others have used since before, from 0 to 1: other processes, and
// the host of a virtual machine by its steal time.
func (u Usage) Others(before Usage) float64 {
	total := u.total - before.total
	others := (u.busy - before.busy) - (u.own - before.own)
	if total <= 0 || others <= 0 {
		return 0
	}
	return float64(others) / float64(total)
}

// cpuTimes reads the first line of /proc/stat (proc_stat(5)): the time that all CPUs together had, and what of it went
// to processes and to the host. Interrupts are left out: what our own traffic causes cannot be told from the rest.
func cpuTimes() (total, busy time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	// Guest time, behind these, is part of user time.
	const user, nice, system, steal = 0, 1, 2, 7
	var ticks [8]int64
	fields := make([]any, len(ticks))
	for i := range ticks {
		fields[i] = &ticks[i]
	}
	if _, err := fmt.Sscanf(strings.TrimPrefix(first, "cpu"), "%d %d %d %d %d %d %d %d", fields...); err != nil {
		return 0, 0, errors.New("unexpected first line of /proc/stat: " + first)
	}
	for i, n := range ticks {
		d := time.Duration(n) * time.Second / userHZ
		total += d
		switch i {
		case user, nice, system, steal:
			busy += d
		}
	}
	return total, busy, nil
}
