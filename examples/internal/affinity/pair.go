//go:build linux

package affinity

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Pair picks a CPU for the sender and one for the sink among those that this process may use: not two
// threads of one core where there is a choice.
func Pair() (sender, sink int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) < 2 {
		return 0, 0, errors.New("pinning takes two CPUs, this process may use one")
	}
	sender = cpus[0]
	core := coreOf(sender)
	for _, cpu := range cpus[1:] {
		if core == "" || coreOf(cpu) != core {
			return sender, cpu, nil
		}
	}
	return sender, cpus[1], nil
}

// coreOf names the core of a CPU by the threads it has, or is "" where the kernel does not tell.
func coreOf(cpu int) string {
	b, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
