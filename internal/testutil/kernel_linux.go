package testutil

import "golang.org/x/sys/unix"

// KernelVersion returns the running kernel's version as uname(2) tells it, and 0, 0 where that is not
// Linux. It is for judging skips; whether a feature is there is decided by probing for it, because
// distributions port features back.
func KernelVersion() (major, minor int) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		panic(err)
	}
	major, minor, err := parseRelease(unix.ByteSliceToString(name.Release[:]))
	if err != nil {
		panic(err)
	}
	return major, minor
}
