//go:build cgo

package socketops

// ringTotals is what a ringDriver has told its meter. It is the goroutine's.
type ringTotals struct {
	requests uint64
	enters   uint64 // that were made when the last entry of the loop was over
	told     bool   // of the entry that is being made
}

// entering counts what the next kernel entry submits. It comes before the entry, which may wait for long. Where the
// queue was full, entries were made to have room in it.
func (d *ringDriver) entering() {
	s := d.ring.Stats()
	entries, _ := d.ring.Entries()
	queued := entries - d.ring.SQSpace()
	calls := s.Enters - d.told.enters
	if d.told.told = queued > 0; d.told.told {
		calls++
	}
	requests := s.Submitted + uint64(queued)
	d.meter.submitted(calls, requests-d.told.requests)
	d.told.requests = requests
}

// entered notes how many entries there were until now, and counts what Senders have queued by themselves.
func (d *ringDriver) entered() {
	s := d.ring.Stats()
	d.told.enters = s.Enters
	if s.Submitted > d.told.requests {
		calls := uint64(1)
		if d.told.told {
			calls = 0
		}
		d.meter.submitted(calls, s.Submitted-d.told.requests)
		d.told.requests = s.Submitted
	}
}
