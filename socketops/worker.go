//go:build linux

package socketops

// slow reports whether the system call of an operation can take long even where the socket does not block: it reads
// from a file. Neither the goroutine of an engine nor a lock of the lane is kept by that.
func (o *op) slow() bool { return o.kind == opSendFile }

// work has an operation that the lane is busy with attempted by a goroutine of its own. mu is held.
func (l *lane) work(o *op) {
	o.state = opWorking
	go l.workOn(o)
}

// workOn attempts an operation until it is over, or has to wait for its socket.
func (l *lane) workOn(o *op) {
	for {
		l.mu.Lock()
		l.event = false
		l.mu.Unlock()
		o.tried = true
		if l.worked(o, o.call()) {
			return
		}
	}
}

// worked goes on with an operation as the result of its system call says, and reports whether that was the last one for
// now. What became ready meanwhile is attempted again (B03).
func (l *lane) worked(o *op, res int) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v := o.take(res); {
	case v == opDone || o.reason != nil:
		l.over(o)
	case v == opAgain || l.event:
		return false
	default:
		o.state = opInFlight
		if l.handle.port.start(o) {
			l.over(o)
		}
	}
	return true
}
