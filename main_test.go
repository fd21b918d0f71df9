package uring

import "runtime"

// The main thread never ends before the process, so no test may come to own a ring on it: some let a ring's thread end.
func init() { runtime.LockOSThread() }
