//go:build !linux

package aio

import "github.com/sockring/uring/internal/unix"

// Without Linux there is nothing to attempt transfers with: each gives ENOSYS.

type callMover struct{ window int }

func newCallMover(slots int) *callMover { return &callMover{slots} }

func (m *callMover) slots() int { return m.window }

func (m *callMover) close() error { return nil }

func (m *callMover) move(window []*task) (int, error) { return 0, unix.ENOSYS }

func probePair() ([2]int, error) { return [2]int{}, unix.ENOSYS }
