//go:build linux

package sendertest

import (
	"context"
	"time"

	"pgregory.net/rapid"
)

// Sender is what the Senders of all engines have.
type Sender interface {
	Write(p []byte) (int, error)
	WriteContext(ctx context.Context, p []byte) (int, error)
	TryWrite(p []byte) error
	Writev(bufs [][]byte) error
	Reserve(n int) ([]byte, error)
	Commit(n int) error
	HandOver(p []byte, release func(sent int, err error)) error
	Flush(ctx context.Context) error
	SetDeadline(t time.Time)
	Buffered() int
	Accepted() uint64
	Sent() uint64
	Progress() (messages uint64, partial int)
	Err() error
	Close() error
}

// Engine is a ring or whatever else Senders share.
type Engine interface {
	// NewSender makes a Sender on a stream socket, which may be blocking, with the limits of its options. It may draw
	// how.
	NewSender(t *rapid.T, fd, limit, batch int) Sender

	// Submit sends for all Senders without waiting.
	Submit() error

	// Unsent returns how many bytes the error of a Sender's Close says were left, if it does.
	Unsent(err error) (bytes int, ok bool)

	// RequireEmpty holds that closed Senders have left nothing behind.
	RequireEmpty(t *rapid.T)
}
