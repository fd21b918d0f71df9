package uring

import (
	"runtime"
	"testing"

	"github.com/sockring/uring/internal/testutil"
)

// The main thread never ends before the process, so no test may come to own a ring on it: some let a ring's thread end.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) { testutil.MainWithExamples(m, exampleRing) }

// exampleRing tries what all examples do first.
func exampleRing() error {
	r, err := New(16)
	if err != nil {
		return err
	}
	return r.Close()
}
