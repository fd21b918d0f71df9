package sendq

// The methods here keep the four fields that describe the chunk being filled: tail, mem (its memory),
// offset (where the next byte goes) and open (whether that byte extends the last segment). While open is
// set the last segment's end lags behind offset, so that Write need not touch it; syncTail catches up.

// setTail makes c the chunk being filled. What is left of the one before stays unused.
func (q *Queue) setTail(c *chunk) {
	q.syncTail()
	q.open = false
	q.tail, q.mem, q.offset = c, c.mem, 0
}

// openRun makes the last segment one that ends at offset in tail.
func (q *Queue) openRun() {
	if q.open {
		return
	}
	q.segments.push(segment{mem: q.mem, start: q.offset, end: q.offset, chunk: q.tail})
	q.tail.runs++
	q.open = true
}

// syncTail notes in the last segment how far it was filled.
func (q *Queue) syncTail() {
	if q.open {
		q.segments.back().end = q.offset
	}
}

// dropIdleTail gives tail back when nothing in it is queued or reserved.
func (q *Queue) dropIdleTail() {
	if q.tail == nil || q.tail.runs > 0 || q.reserved > 0 {
		return
	}
	q.slab.put(q.tail)
	q.tail, q.mem, q.offset = nil, nil, 0
}

// updateSpace recomputes what Write may append without further checks.
func (q *Queue) updateSpace() {
	q.space = 0
	if q.open && q.reserved == 0 {
		q.space = min(len(q.mem)-q.offset, q.limit-q.Buffered())
	}
}
