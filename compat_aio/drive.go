package aio

import (
	"errors"
	"io"
)

// ErrStopped is the error of a Source's or Sink's Next that ends it in order: Done gets nil.
var ErrStopped = errors.New("aio: stopped")

// Source is a socket with bytes to send, as DriveSends wants it.
type Source interface {
	// Socket returns the socket to send on.
	Socket() *Socket

	// Next returns what is to be sent, which must not change until the call that follows: the same bytes again as far
	// as Advance has not counted them. ErrStopped ends the Source in order, any other error with that error.
	Next() (bufs [][]byte, err error)

	// Advance says that n bytes have left, perhaps less than Next has returned.
	Advance(n int)

	// Done says that the Source has ended, and why, or nil where it was stopped. Nothing is called after it.
	Done(err error)

	// WaitWritable says that the socket is full. Drive the Source again when it has room.
	WaitWritable()
}

// Sink is a socket to receive from, as DriveRecvs wants it.
type Sink interface {
	// Socket returns the socket to receive from.
	Socket() *Socket

	// Next returns where to receive, some room at least, which the kernel may write until the call that follows.
	// ErrStopped ends the Sink in order, any other error with that error.
	Next() (bufs [][]byte, err error)

	// Advance says that n bytes were received, at least 1, into the buffers of Next.
	Advance(n int)

	// Done says that the Sink has ended, and why: io.EOF at the end of the stream, or nil where it was stopped. Nothing
	// is called after it.
	Done(err error)

	// WaitReadable says that nothing has arrived. Drive the Sink again when something has.
	WaitReadable()
}

// DriveSends asks every Source for its bytes, sends them all together without waiting, and tells each how that went:
// Done where Next or the socket gave an error, otherwise Advance where anything has left, and WaitWritable where the
// socket took less than everything. What has failed does not concern the others. The methods are called from within
// DriveSends, in the order of the queue; a Source must not call the Batcher, but may write to Senders.
//
// The error is for what concerns no single socket, as that of TrySend. With it each Source that has something to send
// gets Done.
func (b *Batcher) DriveSends(queue []Source) error {
	return drive(b, sending, queue, Source.WaitWritable)
}

// DriveRecvs receives for every Sink as DriveSends sends.
func (b *Batcher) DriveRecvs(queue []Sink) error {
	return drive(b, receiving, queue, Sink.WaitReadable)
}

// driven is what Source and Sink have in common.
type driven interface {
	Socket() *Socket
	Next() ([][]byte, error)
	Advance(n int)
	Done(err error)
}

func drive[D driven](b *Batcher, dir direction, queue []D, wait func(D)) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	defer b.calledBack(b.callBack())
	defer func() {
		clear(b.driven)
		clear(b.drivenResults)
	}()
	b.driven = b.driven[:0]
	for i, d := range queue {
		bufs, err := d.Next()
		switch {
		case errors.Is(err, ErrStopped):
			d.Done(nil)
		case err != nil:
			d.Done(err)
		default:
			b.driven = append(b.driven, Op{Socket: d.Socket(), Bufs: bufs, Token: uint64(i)})
		}
	}
	var err error
	b.drivenResults, err = b.attempt(dir, b.driven, b.drivenResults)
	for i, r := range b.drivenResults {
		tell(queue[r.Token], r, dir == receiving && r.N == 0 && len(b.driven[i].Bufs) > 0, wait)
	}
	return err
}

// tell tells one Source or Sink how its transfer went.
func tell[D driven](d D, r Result, end bool, wait func(D)) {
	if r.N > 0 || r.Err == nil && !end {
		d.Advance(r.N)
	}
	switch {
	case r.Err == nil && end:
		d.Done(io.EOF)
	case r.Err == nil:
	case errors.Is(r.Err, ErrWouldBlock):
		wait(d)
	default:
		d.Done(r.Err)
	}
}
