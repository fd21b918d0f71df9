package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sockring/uring/socketops"
)

// drivers are what drives the library.
var drivers = []struct {
	name  string
	drive func(r *run)
}{
	{"ring", driveRing},
	{"uring", func(r *run) { driveSocketops(r, socketops.BackendURing) }},
	{"aio", func(r *run) { driveSocketops(r, socketops.BackendAIO) }},
	{"syscall", func(r *run) { driveSocketops(r, socketops.BackendSyscall) }},
	{"compat_aio", driveAIO},
}

// child is the process that a driver runs in. It is told by lines what to do, and answers each with a line: an order
// with the report of a run, and an empty line, once the tracer is gone, with what the run has left behind.
func child(driver, dir string) error {
	drive := drivers[slices.IndexFunc(drivers, func(d struct {
		name  string
		drive func(r *run)
	},
	) bool {
		return d.name == driver
	})].drive
	if err := fixture.prepare(dir); err != nil {
		return err
	}
	answer := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	var before possessions
	for {
		if err := fixture.replenish(); err != nil {
			return err
		}
		before = possess()
		if err := answer.Encode("ready"); err != nil || !lines.Scan() {
			return err
		}
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		r := newRun(o)
		begin := before
		drive(r)
		if err := answer.Encode(r.report); err != nil || !lines.Scan() {
			return err
		}
		if err := answer.Encode(left(begin)); err != nil {
			return err
		}
	}
}

// possessions are what a process has that a run may leave behind.
type possessions struct {
	Descriptors []string
	Mappings    []string
	Goroutines  int
}

func possess() possessions {
	var p possessions
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && !strings.HasPrefix(target, "/proc/") {
			p.Descriptors = append(p.Descriptors, entry.Name()+" "+target)
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(maps), "\n") {
		if strings.Contains(line, "io_uring") || strings.Contains(line, "[aio]") {
			p.Mappings = append(p.Mappings, line)
		}
	}
	p.Goroutines = runtime.NumGoroutine()
	return p
}

// left returns what there is that was not there before. It looks again for a while, as goroutines and threads end after
// what they did.
func left(before possessions) []string {
	const looks = 100
	var found []string
	for range looks {
		now := possess()
		found = nil
		for _, fd := range now.Descriptors {
			// Connections are taken from the fixture and closed: a number may mean another file now.
			if _, target, _ := strings.Cut(fd, " "); !slices.ContainsFunc(before.Descriptors, func(old string) bool {
				return old == fd || strings.HasSuffix(old, " "+target)
			}) {
				found = append(found, "descriptor "+fd)
			}
		}
		if extra := len(now.Descriptors) - len(before.Descriptors); extra > 0 && len(found) == 0 {
			found = append(found, fmt.Sprintf("%d descriptors", extra))
		}
		for _, mapping := range now.Mappings {
			if !slices.Contains(before.Mappings, mapping) {
				found = append(found, "mapping "+mapping)
			}
		}
		if now.Goroutines > before.Goroutines {
			found = append(found, fmt.Sprintf("%d goroutines\n%s", now.Goroutines-before.Goroutines, stacks()))
		}
		if len(found) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return found
}
