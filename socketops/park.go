//go:build linux

package socketops

// A plain form that has to wait does so on its caller's goroutine, in the runtime's poller, as those of package net do:
// an engine would have to be woken first, and to wake the goroutine then (docs/socketops.md has the figures). Such an
// operation is parked. It is the head of its lane as any other, so that order, cancellation and Close are the same: it
// is attempted with the lane's mu held, and whoever holds that may end it.
//
// One goroutine at a time has the seat of a lane, which is to be in the poller or on the way into it or out of it.

// parks reports whether an operation that has to wait is to be parked. What pauses waits for no event, and what is slow
// keeps no lock. mu is held.
func (l *lane) parks(o *op) bool {
	if o.callback != nil || o.evicted || o.slow() || o.pause > 0 {
		return false
	}
	return l.handle.park()
}

// park makes the descriptor known to the runtime's poller the first time, and reports whether that has taken it.
func (h *handle) park() bool {
	at := h.parking.Load()
	if at == nil {
		h.portMu.Lock()
		defer h.portMu.Unlock()
		if at = h.parking.Load(); at == nil {
			at = newParking(h.fd)
			h.parking.Store(at)
		}
	}
	return at.conn != nil
}

// summon gives the head its turn, and the seat, which is free or has been the head's own since enter. mu is held.
func (l *lane) summon(o *op) {
	l.busy, l.seated, o.state = true, true, opInFlight
	o.ticket = 0 // which it has where it has left a train
	if !o.parked {
		o.parked = true
		o.tell()
	}
}

// called reports whether an operation that was told something has its turn, and whether it is over.
func (l *lane) called(o *op) (parked, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return o.parked, o.state == opOver
}

// enter begins a receive in the runtime's poller, if that knows the descriptor: most receives have to wait, and one
// that was attempted outside would have to be attempted once more. It reports false where it was not begun.
func (s *Socket) enter(o *op) bool {
	if o.kind.direction() != receiving || s.nonBlocking.Load() {
		return false
	}
	h := s.handle()
	l := &h.lanes[receiving]
	if at := h.parking.Load(); at == nil || at.conn == nil || !l.seat() {
		return false
	}
	o.socket, o.handle, o.parked = s, h, true
	return l.park(o)
}

// seat takes the seat, if that is free and nothing is queued.
func (l *lane) seat() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seated || l.first != nil || l.stopped != nil {
		return false
	}
	l.seated = true
	return true
}

// park attempts an operation in the runtime's poller until it is over, or not parked any more. It reports false where
// the operation was not begun. The caller has the seat, and gives it up.
func (l *lane) park(o *op) (begun bool) {
	at, d := l.handle.parking.Load(), o.kind.direction()
	defer func() { begun = l.unpark(at, o) }() // also where a method of the operation's context panics
	at.wait(d, o.look)
	return false
}

// unpark gives up the seat, and reports whether the operation was begun.
func (l *lane) unpark(at *parking, o *op) (begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seated = false
	if l.roused {
		l.roused = false
		at.calm(o.kind.direction())
	}
	begun = o.state != opNew
	if o.parked && o.state == opInFlight {
		l.evict(o)
	}
	o.parked = false
	l.run() // for whoever waits for the seat
	return begun
}

// looks attempts a parked operation, and reports whether its goroutine is to leave the runtime's poller.
func (o *op) looks(uintptr) (leave bool) {
	if o.lookOnce() {
		return true
	}
	o.watch()
	return false
}

func (o *op) lookOnce() (leave bool) {
	l := &o.handle.lanes[o.kind.direction()]
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case o.state == opNew && l.stopped == nil:
		o.parked = l.first == nil
		return !o.socket.beginIn(o.handle, l, o, false) || !o.parked
	case o.state != opInFlight:
		return true
	case l.attempt(o):
		o.parked = false
		l.over(o)
		return true
	case o.pause > 0:
		l.evict(o)
		return true
	}
	return false
}

// evict gives a parked operation to the engine. mu is held.
func (l *lane) evict(o *op) {
	l.busy, o.parked, o.evicted = false, false, true
	l.run()
}
