//go:build linux

package modeltest

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// worker is one goroutine of a program.
type worker struct {
	run    *run
	number int
	behind []*transfer // those that can be cancelled
}

func (w *worker) work(steps []step) {
	for _, s := range steps {
		if w.run.stop.Err() != nil {
			return
		}
		w.step(s)
	}
}

// readsMax is how many receives of a reader there are at most, so that what they got can be told.
const readsMax = 200

// read receives what comes to one side of a link, until the run or the connection ends.
func (w *worker) read(rd reader) {
	l := w.run.slot(rd.link)
	for range readsMax {
		tr := &transfer{
			run: w.run, way: l.ways[1-rd.side], side: l.sides[rd.side], worker: w.number, form: recvForms[0],
			p: make([]byte, rd.size),
		}
		tr.way.add(tr)
		tr.begin(0, false)
		if w.run.stop.Err() != nil || tr.err != nil || tr.n == 0 {
			return
		}
	}
}

func (w *worker) step(st step) {
	l := w.run.slot(st.link)
	s := l.sides[st.side]
	var err error
	switch st.do {
	case actSend:
		for range st.times {
			w.transfer(st, l.ways[st.side], s, true)
		}
	case actRecv:
		for range st.times {
			w.transfer(st, l.ways[1-st.side], s, false)
		}
	case actVolley:
		w.volley(st)
	case actCancel:
		if i := len(w.behind) - 1 - st.which; i >= 0 {
			w.behind[i].cancel()
		}
	case actDeadline:
		err = w.deadline(st, s)
	case actTimeout:
		err = w.timeout(st, s)
	case actShutdown:
		err = w.shutdown(st, s)
	case actClose:
		w.run.close(s)
	case actReplace:
		w.replace(st, l)
	case actDisconnect:
		s.shutRead.Store(true)
		s.shutWrite.Store(true)
		s.disconnected.Store(true)
		if err = s.s.Disconnect(true); errors.Is(err, unix.ENOTCONN) {
			err = nil // It was disconnected before, or its peer is gone.
		}
	}
	if err != nil && !(errors.Is(err, socketops.ErrClosed) && s.closing.Load()) {
		w.run.failf("%v: %v", st, err)
	}
}

// volley has a receive wait on every socket, and sends to each, so that many become ready at once.
func (w *worker) volley(st step) {
	recv, send := st, st
	recv.form, send.form = 2, 1 // GoRecv and TrySend
	for i := range 2 * len(w.run.program.links) {
		l := w.run.slot(i / 2)
		w.transfer(recv, l.ways[i%2], l.sides[1-i%2], false)
	}
	for i := range 2 * len(w.run.program.links) {
		l := w.run.slot(i / 2)
		w.transfer(send, l.ways[i%2], l.sides[i%2], true)
	}
}

// datagramMax is a size that fits into the smallest buffers.
const datagramMax = 1500

func (w *worker) transfer(st step, way *way, s *side, sending bool) {
	forms := recvForms
	if sending {
		forms = sendForms
	}
	forms = formsOf(forms, s.kind)
	size := st.size
	if !s.kind.stream() {
		size = 1 + (size-1)%datagramMax
	}
	tr := &transfer{
		run: w.run, way: way, side: s, sending: sending, worker: w.number, form: forms[st.form%len(forms)],
		p: make([]byte, size),
	}
	if !way.add(tr) {
		return
	}
	tr.begin(st.wait, st.both)
	if tr.op != nil {
		w.behind = append(w.behind, tr)
	}
}

func (w *worker) deadline(st step, s *side) error {
	set := s.s.SetReadDeadline
	if st.sending {
		set = s.s.SetWriteDeadline
	}
	if st.wait == 0 {
		return set(time.Time{})
	}
	t := time.Now().Add(st.wait)
	s.limits[directionOf(st.sending)].setDeadline(t)
	return set(t)
}

func (w *worker) timeout(st step, s *side) error {
	set := s.s.SetReadTimeout
	if st.sending {
		set = s.s.SetWriteTimeout
	}
	d := max(st.wait, 0)
	s.limits[directionOf(st.sending)].setTimeout(d)
	return set(d)
}

func (w *worker) shutdown(st step, s *side) error {
	how := socketops.ShutRead
	switch {
	case !s.kind.ends():
		return nil // What that means to datagrams is not this model's.
	case st.both:
		how = socketops.ShutBoth
	case st.sending:
		how = socketops.ShutWrite
	}
	if how != socketops.ShutRead {
		s.shutWrite.Store(true)
	}
	if how != socketops.ShutWrite {
		s.shutRead.Store(true)
	}
	err := s.s.Shutdown(how)
	if errors.Is(err, unix.ENOTCONN) && s.broken() {
		return nil
	}
	return err
}

// replace closes both sockets of a link, and makes others at once, which get the numbers of their descriptors.
func (w *worker) replace(st step, l *link) {
	w.run.close(l.sides[st.side])
	w.run.close(l.sides[1-st.side])
	l, err := connect(w.run.engine, l.spec)
	if err != nil {
		w.run.failf("another link: %v", err)
		return
	}
	w.run.mu.Lock()
	defer w.run.mu.Unlock()
	w.run.slots[st.link%len(w.run.slots)] = l
	w.run.links = append(w.run.links, l)
}
