package testutil

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// resources describes what a process holds of one kind: a line or more for each key.
type resources map[string]string

// leaked lists what now holds and before did not, as one entry each headed by title; "" when nothing.
func leaked(title string, before, now resources) string {
	var report strings.Builder
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, ok := before[key]; !ok {
			fmt.Fprintf(&report, "testutil: leaked %s %s\n", title, now[key])
		}
	}
	return report.String()
}

// goroutines returns the stack of every goroutine but the calling one, by goroutine number, without those
// that package os/signal starts once and never ends.
func goroutines() resources {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	found := resources{}
	stacks := strings.Split(string(buf[:n]), "\n\n")
	for _, stack := range stacks[1:] { // the first is the caller's own
		if strings.Contains(stack, "os/signal.loop") || strings.Contains(stack, "runtime.ensureSigM") {
			continue
		}
		// The header reads "goroutine 7 [chan receive]:", with a state that changes.
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		found[number] = strings.TrimPrefix(stack, "goroutine ")
	}
	return found
}

// openFiles returns what each open file descriptor refers to, by number and target: a number that was
// closed and used again counts as new. It is empty where there is no /proc/self/fd.
func openFiles() resources {
	found := resources{}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return found
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		target, err := os.Readlink("/proc/self/fd/" + name)
		if err != nil || name == strconv.Itoa(int(dir.Fd())) {
			continue
		}
		found[name+" "+target] = name + " (" + target + ")"
	}
	return found
}
