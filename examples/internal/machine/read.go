//go:build linux

package machine

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/examples/bundlebench/climit"
)

// Read gathers the facts.
func Read() Facts {
	return Facts{
		Kernel:    kernel(),
		Liburing:  liburing(),
		Go:        runtime.Version(),
		Arch:      runtime.GOARCH,
		CPUs:      runtime.NumCPU(),
		CPUModel:  cpuModel(),
		EmptyCall: emptyCall(),
		When:      time.Now(),
	}
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// emptyCall times a call from Go to a C function that does nothing: the price of cgo itself.
func emptyCall() time.Duration {
	const calls = 200_000
	best := time.Duration(0)
	for range 5 {
		start := time.Now()
		for range calls {
			climit.Identity(0)
		}
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
	}
	return best / calls
}

// liburing is the version of the library that this process runs with.
func liburing() string {
	major, minor := cring.LibraryVersion()
	if major == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", major, minor)
}
