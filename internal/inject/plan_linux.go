package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// calls are the system calls that are made to fail, in the order of the table.
var calls = []string{
	"io_uring_enter", "io_uring_register", "io_submit", "io_getevents", "io_pgetevents", "epoll_pwait", "epoll_wait",
	"accept4", "sendto", "sendmsg", "recvfrom", "recvmsg", "socket", "mmap", "eventfd2", "splice", "sendfile", "connect",
}

// fault is an error that calls fail with.
type fault struct {
	name  string
	errno syscall.Errno
}

var faults = []fault{
	{"EINTR", syscall.EINTR},
	{"EAGAIN", syscall.EAGAIN},
	{"EBUSY", syscall.EBUSY},
	{"ENOMEM", syscall.ENOMEM},
	{"ENOBUFS", syscall.ENOBUFS},
	{"EPERM", syscall.EPERM},
}

// pattern says which calls fail, in the notation of strace: strace counts the calls of each thread by itself.
type pattern struct {
	name, when string
	endless    bool // there may be no call that works, so the work need not be done in the end
}

var patterns = []pattern{
	{"all", "1+", true},
	{"first", "1..6", false}, // the first six of each thread
	{"third", "2+3", false},  // each third
	{"once", "1", false},
	{"later", "4", false}, // once, in the middle
}

// combination is one run.
type combination struct {
	driver  string
	call    string
	fault   fault
	pattern pattern
}

func (c combination) String() string {
	return fmt.Sprintf("%s %s=%s %s", c.driver, c.call, c.fault.name, c.pattern.name)
}

// reproducer is the command that repeats the run.
func (c combination) reproducer() string {
	return fmt.Sprintf("go run ./internal/inject -driver %s -call %s -errno %s -when %s",
		c.driver, c.call, c.fault.name, c.pattern.name)
}

// runtimeEnds are the errors that Go's runtime answers with the end of the process, or for ever with the same call, in
// calls of its own that a tracer cannot tell from the library's: no library can do anything about them.
var runtimeEnds = []struct {
	call     string
	faults   []string
	patterns []string // nil for all
	text     string   // what the runtime says then, or "" where it repeats the call
}{
	{"epoll_pwait", []string{"EAGAIN", "EBUSY", "ENOMEM", "ENOBUFS", "EPERM"}, nil, "runtime: netpoll failed"},
	{"epoll_pwait", []string{"EINTR"}, []string{"all"}, ""},
}

// memoryEnds are what the runtime says before it ends the process for want of memory. It maps some at any time, though
// the driver sees to it that there is enough: a run of mmap that ends so is made again in a new process.
var memoryEnds = []string{"runtime: mmap: too much locked memory", "cannot allocate memory", "pthread_create failed"}

// memoryTries is how often such a run is made again, before it is told that the runtime ends.
const memoryTries = 3

// endsTheRuntime reports whether the runtime may end for this fault, and what it says then.
func (c combination) endsTheRuntime() (text string, ends bool) {
	for _, end := range runtimeEnds {
		if end.call == c.call && slices.Contains(end.faults, c.fault.name) &&
			(end.patterns == nil || slices.Contains(end.patterns, c.pattern.name)) {
			return end.text, true
		}
	}
	return "", false
}

// untrue are the errors that the kernel does not give without having done something that a tracer does not do in its
// stead: what comes of them says nothing.
func (c combination) untrue() bool {
	// A connect that a signal has ended goes on by itself.
	return c.call == "connect" && c.fault.name == "EINTR"
}

// inSlice reports whether the combination is one of those few that are run each time.
func (c combination) inSlice() bool {
	return c.fault.name == "EAGAIN" && c.pattern.name == "third" || c.fault.name == "EPERM" && c.pattern.name == "once"
}

// choose returns those of all whose name list names, separated by commas, or all where list is empty.
func choose[T any](all []T, name func(T) string, list string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var chosen []T
	var names []string
	for _, item := range all {
		names = append(names, name(item))
	}
	for _, want := range strings.Split(list, ",") {
		i := slices.Index(names, want)
		if i < 0 {
			return nil, fmt.Errorf("no %q in %s", want, strings.Join(names, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func itself(s string) string { return s }
