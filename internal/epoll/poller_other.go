//go:build !linux

package epoll

import (
	"iter"
	"time"

	"github.com/sockring/uring/internal/unix"
)

// Poller is never made where there is no epoll.
type Poller struct{}

// New fails with ENOSYS.
func New(string) (*Poller, error) { return nil, unix.ENOSYS }

// Add fails with ENOSYS.
func (*Poller) Add(int, int32) error { return unix.ENOSYS }

// AddPoll fails with ENOSYS.
func (*Poller) AddPoll(int, int16) error { return unix.ENOSYS }

// Remove does nothing.
func (*Poller) Remove(int) {}

// Arm fails with ENOSYS.
func (*Poller) Arm(time.Time) error { return unix.ENOSYS }

// Wake does nothing.
func (*Poller) Wake() {}

// Wait fails with ENOSYS.
func (*Poller) Wait() error { return unix.ENOSYS }

// Look fails with ENOSYS.
func (*Poller) Look() error { return unix.ENOSYS }

// Any reports false.
func (*Poller) Any() bool { return false }

// Found is empty.
func (*Poller) Found() iter.Seq[Event] { return func(func(Event) bool) {} }

// Close does nothing.
func (*Poller) Close() error { return nil }

// Event is never found.
type Event struct{}

// Name returns 0.
func (Event) Name() int32 { return 0 }

// CanSend reports false.
func (Event) CanSend() bool { return false }

// CanReceive reports false.
func (Event) CanReceive() bool { return false }
