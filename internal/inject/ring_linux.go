package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Sizes of the flows of a ring.
const (
	ringFlow   = 16 << 10
	ringChunk  = 1024
	ringBuffer = 4096
	ringCloses = 500 * time.Millisecond
)

// ringWork is the work of a Ring, all of it done by its owner.
type ringWork struct {
	*run
	ring *uring.Ring
}

// driveRing drives a Ring with Senders on a thread of its own.
func driveRing(r *run) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := &ringWork{run: r}
		for range 3 {
			var err error
			w.ring, err = uring.New(8, uring.WithCloseTimeout(ringCloses))
			if !r.told("New", err) {
				break
			}
		}
		if w.ring == nil {
			r.report.Refuse = true
			r.report.Whole = false
			// New has unlocked the goroutine where it failed.
			return
		}
		w.work()
		begun := time.Now()
		r.told("Ring.Close", w.ring.Close())
		if took := time.Since(begun); took > closeMax {
			r.broken("Ring.Close took %v", took)
		}
		if n := w.ring.Stats().InFlight; n != 0 && !r.report.Leaked {
			r.broken("%d requests are in flight at the end", n)
		}
	}()
	select {
	case <-done:
	case <-time.After(workMax + 3*closeMax):
		r.broken("the owner of the ring has not come back\n%s", stacks())
	}
}

func (w *ringWork) work() {
	w.register()
	for _, send := range []struct {
		name string
		send func(ctx context.Context, fd int, p []byte) (int, error)
	}{
		{"Ring.Send", func(ctx context.Context, fd int, p []byte) (int, error) { return w.ring.Send(ctx, fd, p, 0) }},
		{"Ring.Send with MSG_WAITALL", func(ctx context.Context, fd int, p []byte) (int, error) {
			return w.ring.Send(ctx, fd, p, unix.MSG_WAITALL)
		}},
		{"Ring.SendTo", func(ctx context.Context, fd int, p []byte) (int, error) {
			return w.ring.SendTo(ctx, fd, p, 0, nil)
		}},
		{"Ring.SendZC", func(ctx context.Context, fd int, p []byte) (int, error) {
			n, _, err := w.ring.SendZC(ctx, fd, p, 0)
			return n, err
		}},
	} {
		w.transfer(send.name, send.send)
	}
	w.queue("Sender")
	w.queue("Sender by sendmsg", uring.WithSendmsg())
	w.buffers()
	w.quiet()
}

// transfer has a flow go from one socket to another, each byte by a request of the ring.
func (w *ringWork) transfer(name string, send func(ctx context.Context, fd int, p []byte) (int, error)) {
	a, b := fixture.connection()
	defer unix.Close(b)
	defer unix.Close(a)
	f := w.newFlow(name, ringFlow)
	var receive receiver
	for f.got < f.size {
		ok := w.until(name, func(ctx context.Context) error {
			if f.sent == f.size || f.sent-f.got >= ringBuffer {
				return nil
			}
			n, err := send(ctx, a, f.next(ringChunk))
			f.sent += n
			return err
		})
		if !ok || !w.until("receive for "+name, func(ctx context.Context) error { return receive.step(ctx, w, b, f) }) {
			break
		}
	}
	if receive.end(w, b, f) {
		f.settle(b)
	}
}

// receiver receives by one request at a time.
type receiver struct {
	armed bool
	buf   [2 * ringChunk]byte
}

// step has a request receive, and waits for it.
func (v *receiver) step(ctx context.Context, w *ringWork, fd int, f *flow) error {
	if f.got == f.sent && f.size > 1 {
		return nil // An error came with the rest.
	}
	if !v.armed {
		sqe, err := w.ring.SQE()
		if err != nil {
			return err
		}
		if err := sqe.PrepRecv(fd, v.buf[:], 0); err != nil {
			return err
		}
		sqe.SetData(v)
		v.armed = true
	}
	if _, err := w.ring.SubmitAndWait(ctx, 1); err != nil {
		v.reap(w, f)
		return err
	}
	return v.reap(w, f)
}

// reap takes the result where it is there.
func (v *receiver) reap(w *ringWork, f *flow) (err error) {
	for c := range w.ring.Completions() {
		if c.Data != any(v) {
			continue // of what was cancelled before
		}
		if !v.armed {
			w.broken("%s: a receive has completed twice", f.name)
		}
		v.armed = false
		if err = c.Err(); err == nil {
			f.arrived(v.buf[:c.Res])
		}
	}
	return err
}

// end has the request end that waits for more, and reports whether it did.
func (v *receiver) end(w *ringWork, fd int, f *flow) bool {
	for tries := 0; v.armed; tries++ {
		if tries == 20 {
			return false // Ring.Close has to see to its end.
		}
		if tries%4 == 0 {
			if sqe, err := w.ring.SQE(); err == nil {
				_ = sqe.PrepCancelFd(fd, 0)
			}
		}
		_, err := w.ring.SubmitAndWaitTimeout(context.Background(), 1, waitMax)
		w.told("SubmitAndWaitTimeout", err)
		_ = v.reap(w, f)
	}
	return true
}

// queue has a flow go through a Sender to a peer that reads by itself.
func (w *ringWork) queue(name string, opts ...uring.SenderOption) {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	f := w.newFlow(name, ringFlow)
	var s *uring.Sender
	if !w.until("NewSender", func(context.Context) (err error) {
		s, err = w.ring.NewSender(a, append(opts, uring.WithLimit(3*ringChunk), uring.WithBatch(2*ringChunk))...)
		return err
	}) {
		return
	}
	peer := f.readBy(b)
	drive := senderWork{run: w.run, flow: f, sender: s, chunk: ringChunk}
	drive.work()
	w.told("Sender.Close", s.Close())
	drive.close()
	f.sent = int(s.Sent())
	if w.ring.Stats().InFlight != 0 && w.endless {
		return // A request of the Sender may still send.
	}
	peer(f.sent)
}

// sender is what the Senders of both packages have.
type sender interface {
	Write(p []byte) (int, error)
	Writev(bufs [][]byte) error
	HandOver(p []byte, release func(sent int, err error)) error
	Flush(ctx context.Context) error
	SetDeadline(t time.Time)
	Accepted() uint64
	Sent() uint64
	Err() error
}

// senderWork writes a flow to a Sender in its forms.
type senderWork struct {
	*run
	flow     *flow
	sender   sender
	chunk    int
	releases []*once
}

func (d *senderWork) work() {
	f := d.flow
	for turn := 0; f.sent < f.size; turn++ {
		p := f.next(d.chunk)
		ok := d.until(f.name, func(ctx context.Context) error {
			d.sender.SetDeadline(time.Now().Add(waitMax))
			defer func() { f.sent = int(d.sender.Accepted()) }()
			p = f.next(d.chunk)
			switch turn % 3 {
			case 0:
				_, err := d.sender.Write(p)
				return d.failed(err)
			case 1:
				return d.failed(d.sender.Writev(scatter(p)))
			}
			return d.failed(d.handOver(p))
		})
		if !ok || d.sender.Err() != nil {
			return
		}
	}
	d.until("Flush of "+f.name, func(ctx context.Context) error {
		d.sender.SetDeadline(time.Time{})
		return d.failed(d.sender.Flush(ctx))
	})
}

// failed takes the error that has failed the Sender, which nothing goes on after: it is told once, and ends the flow.
func (d *senderWork) failed(err error) error {
	if err == nil || d.sender.Err() == nil {
		return err
	}
	d.told(d.flow.name, err)
	d.mu.Lock()
	d.report.Whole = false
	d.mu.Unlock()
	return nil
}

// handOver hands a message over, whose release has to come once.
func (d *senderWork) handOver(p []byte) error {
	o := d.once("HandOver")
	err := d.sender.HandOver(p, func(sent int, err error) {
		if err == nil && sent != len(p) {
			d.broken("HandOver: released with %d of %d bytes and no error", sent, len(p))
		}
		o.call()
	})
	if err == nil {
		d.releases = append(d.releases, o)
	}
	return err
}

// close holds that all was released.
func (d *senderWork) close() {
	for _, o := range d.releases {
		if o.calls.Load() != 1 && !d.report.Leaked {
			d.broken("HandOver: release was called %d times once the Sender was closed", o.calls.Load())
		}
	}
}

// readBy has a goroutine read the flow at fd, by read(2). The function it returns waits until it has read as much as
// was sent, and holds that nothing else arrives.
func (f *flow) readBy(fd int) func(sent int) {
	limit, done := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(done)
		b, sent := make([]byte, 4096), -1
		for sent < 0 || f.got < sent {
			n, err := unix.Read(fd, b)
			switch {
			case n > 0:
				f.arrived(b[:n])
			case errors.Is(err, unix.EAGAIN) && sent >= 0:
				return
			case errors.Is(err, unix.EAGAIN):
				select {
				case sent = <-limit:
				case <-time.After(time.Millisecond):
				}
			case !errors.Is(err, unix.EINTR):
				return
			}
		}
	}()
	return func(sent int) {
		f.sent = sent
		limit <- sent
		<-done
		f.settle(fd)
	}
}

// buffers has a flow arrive in a ring of provided buffers, and leave from one.
func (w *ringWork) buffers() {
	var bufs *uring.BufRing
	if !w.until("NewBufRing", func(context.Context) (err error) {
		bufs, err = w.ring.NewBufRing(8, ringChunk)
		return err
	}) {
		return
	}
	defer func() { w.told("BufRing.Close", bufs.Close()) }()
	if bundles := w.ring.Features()&uring.FeatRecvSendBundle != 0; bundles {
		w.bundle(bufs)
	}
	w.multishot(bufs)
}

// bundle sends a flow by SendBundle.
func (w *ringWork) bundle(bufs *uring.BufRing) {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	f := w.newFlow("SendBundle", 4*ringChunk)
	peer := f.readBy(b)
	w.until("SendBundle", func(ctx context.Context) error {
		for id := range uint16(4) {
			if at := f.sent + int(id)*ringChunk; at < f.size {
				data, err := bufs.Buffer(id)
				if err != nil {
					return err
				}
				n := min(ringChunk, f.size-at)
				f.fill(data[:n], at)
				if err := bufs.Add(id, n); err != nil {
					return err
				}
			}
		}
		bufs.Publish()
		n, err := w.ring.SendBundle(ctx, a, bufs, 0)
		f.sent += n
		return err
	})
	peer(f.sent)
}

// multishot is a request that receives a flow into provided buffers.
type multishot struct {
	flow   *flow
	bufs   *uring.BufRing
	armed  bool
	pieces []uring.Piece // scratch
}

// reap takes what has arrived.
func (m *multishot) reap(w *ringWork) (err error) {
	for c := range w.ring.Completions() {
		if c.Data != any(m.flow) {
			continue
		}
		m.armed = c.More()
		if failed := c.Err(); failed != nil {
			if !errors.Is(failed, unix.ENOBUFS) && !errors.Is(failed, uring.ErrNoBuffers) {
				err = failed
			}
			continue
		}
		if m.pieces, err = m.bufs.Consume(c, m.pieces[:0]); err != nil {
			return err
		}
		for _, p := range m.pieces {
			data, failed := m.bufs.Data(p)
			if failed != nil {
				return failed
			}
			m.flow.arrived(data)
			if failed := m.bufs.Recycle(p.Buffer); failed != nil {
				return failed
			}
		}
	}
	return err
}

// multishot receives a flow by one request.
func (w *ringWork) multishot(bufs *uring.BufRing) {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	f := w.newFlow("RecvMultishot", ringFlow)
	if !w.until("BufRing.Reset", func(context.Context) error { return bufs.Reset() }) {
		return
	}
	if err := bufs.AddRange(0, bufs.Entries(), ringChunk); err != nil {
		w.broken("AddRange of buffers that are all the application's: %v", err)
	}
	bufs.Publish()
	m := multishot{flow: f, bufs: bufs}
	for f.got < f.size {
		if f.sent < f.size && f.sent-f.got < ringBuffer {
			n, err := unix.Write(a, f.next(ringChunk))
			if err == nil {
				f.sent += n
			}
		}
		if !w.until("RecvMultishot", func(ctx context.Context) error {
			if f.got == f.sent {
				return nil // An error came with the rest.
			}
			if !m.armed {
				sqe, err := w.ring.SQE()
				if err != nil {
					return err
				}
				if err := sqe.PrepRecvMultishot(b, bufs.Group(), 0); err != nil {
					return err
				}
				sqe.SetData(f)
				m.armed = true
			}
			_, err := w.ring.SubmitAndWait(ctx, 1)
			return errors.Join(err, m.reap(w))
		}) {
			break
		}
	}
	for tries := 0; m.armed && tries < 10; tries++ {
		err := w.ring.SyncCancel(uring.CancelFd(b), waitMax)
		if !errors.Is(err, unix.ENOENT) {
			w.told("SyncCancel", err)
		}
		_, err = w.ring.SubmitAndWaitTimeout(context.Background(), 1, waitMax)
		w.told("SubmitAndWaitTimeout", err)
		w.told("RecvMultishot", m.reap(w))
	}
	if !m.armed {
		f.settle(b)
	}
}

// register has the ring keep files and buffers, and an eventfd.
func (w *ringWork) register() {
	memory := make([]byte, 4096)
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	for _, table := range []struct {
		name    string
		give    func() error
		forsake func() error
	}{
		{"RegisterFiles", func() error { return w.ring.RegisterFiles([]int{a, b}) }, w.ring.UnregisterFiles},
		{"RegisterBuffers", func() error { return w.ring.RegisterBuffers([][]byte{memory}) }, w.ring.UnregisterBuffers},
		{"RegisterEventfd", func() error { return w.ring.RegisterEventfd(fixture.event) }, w.ring.UnregisterEventfd},
	} {
		if w.until(table.name, func(context.Context) error { return table.give() }) {
			w.until("Un"+table.name, func(context.Context) error { return table.forsake() })
		}
	}
	runtime.KeepAlive(memory)
}

// quiet has a receive wait, and nothing happen.
func (w *ringWork) quiet() {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	f := w.newFlow("idle ring", 1)
	var v receiver
	w.idle("a ring that waits", func() {
		ctx, cancel := context.WithTimeout(context.Background(), idleTime)
		defer cancel()
		// Where each entry fails, the wait ends at once, and it is for the caller not to repeat it.
		w.told("SubmitAndWait", v.step(ctx, w, b, f))
		<-ctx.Done()
	})
	v.end(w, b, f)
}
