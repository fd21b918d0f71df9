//go:build cgo

package socketops

// ringTotals is what a ringDriver has told its meter. It is the goroutine's.
type ringTotals struct {
	requests uint64
	enters   uint64 // that were made when the last entry of the loop was over
}

// entering counts what the next kernel entry submits. It comes before the entry, which may wait for long. Where the
// queue was full, entries were made to have room in it.
func (d *ringDriver) entering() {
	s := d.ring.Stats()
	entries, _ := d.ring.Entries()
	queued := entries - d.ring.SQSpace()
	calls := s.Enters - d.told.enters
	if queued > 0 {
		calls++
	}
	requests := s.Submitted + uint64(queued)
	d.meter.submitted(calls, requests-d.told.requests)
	d.told.requests = requests
}

// entered notes how many entries there were until now.
func (d *ringDriver) entered() { d.told.enters = d.ring.Stats().Enters }
