//go:build !linux

package aio

import (
	"time"

	"golang.org/x/sys/unix"
)

// There is nothing to wait for where no transfer can be attempted.

type readiness struct{}

type readyEvent struct{}

func (readyEvent) name() int { return 0 }

func (readyEvent) canSend() bool { return false }

func (readyEvent) canReceive() bool { return false }

func newReadiness() (*readiness, error) { return nil, unix.ENOSYS }

func (*readiness) add(int, int) error { return unix.ENOSYS }

func (*readiness) remove(int) {}

func (*readiness) arm(time.Time) error { return unix.ENOSYS }

func (*readiness) wake() {}

func (*readiness) wait() error { return unix.ENOSYS }

func (*readiness) look() error { return unix.ENOSYS }

func (*readiness) found() func(yield func(int, readyEvent) bool) {
	return func(func(int, readyEvent) bool) {}
}

func (*readiness) close() {}
