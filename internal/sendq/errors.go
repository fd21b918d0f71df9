package sendq

import "errors"

var (
	// ErrLimit means that the queue has not enough room below its byte limit now. Nothing was accepted;
	// the same call can succeed once bytes have left.
	ErrLimit = errors.New("sendq: queue is at its byte limit")

	// ErrTooLong means that the message is longer than the queue's byte limit: no waiting will help.
	ErrTooLong = errors.New("sendq: message is longer than the queue's byte limit")

	// ErrSlabFull means that the slab has no chunk left below its byte limit. Nothing was accepted; the
	// same call can succeed once any queue on the slab has sent some.
	ErrSlabFull = errors.New("sendq: slab is at its byte limit")

	// ErrReserved means that a reservation is open, which only Commit ends.
	ErrReserved = errors.New("sendq: a reservation is open")

	// ErrNotReserved means that Commit found no open reservation.
	ErrNotReserved = errors.New("sendq: no reservation is open")

	// ErrInFlight means that what was taken has not been settled.
	ErrInFlight = errors.New("sendq: a request is in flight")

	// ErrOverrun means that more bytes are said to have left than were in flight: the engine and the
	// queue no longer agree about the stream.
	ErrOverrun = errors.New("sendq: more bytes left than were in flight")
)
