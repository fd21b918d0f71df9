package testutil

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// interfaces are the system calls of the kernel interfaces that RefuseVariable may name.
var interfaces = map[string][]uintptr{
	"io_uring": {unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER},
	"aio": {
		unix.SYS_IO_SETUP, unix.SYS_IO_DESTROY, unix.SYS_IO_SUBMIT, unix.SYS_IO_CANCEL, unix.SYS_IO_GETEVENTS,
		unix.SYS_IO_PGETEVENTS,
	},
}

// refusals are the errnos that RefuseVariable may name: those of container profiles and of sandboxes.
var refusals = map[string]unix.Errno{"EPERM": unix.EPERM, "ENOSYS": unix.ENOSYS}

// RefuseAsTold installs the filters that RefuseVariable asks for, for this process and what it executes.
func RefuseAsTold() error {
	told, err := parseRefusals(os.Getenv(RefuseVariable))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		if err := installRefusal(told[name], interfaces[name]); err != nil {
			return err
		}
	}
	return nil
}

// parseRefusals reads a list as "io_uring=EPERM,aio=ENOSYS".
func parseRefusals(list string) (map[string]unix.Errno, error) {
	told := map[string]unix.Errno{}
	if list == "" {
		return told, nil
	}
	for _, entry := range strings.Split(list, ",") {
		name, answer, _ := strings.Cut(entry, "=")
		if _, ok := interfaces[name]; !ok {
			return nil, fmt.Errorf("testutil: %s: %q is none of %s", RefuseVariable, name, names(interfaces))
		}
		errno, ok := refusals[answer]
		if !ok {
			return nil, fmt.Errorf("testutil: %s: %q is none of %s", RefuseVariable, answer, names(refusals))
		}
		told[name] = errno
	}
	return told, nil
}

func names[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }
