//go:build cgo

package socketops

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Sizes of the submission queue, in entries: where memory is short the driver is content with fewer.
const (
	ringEntries    = 1024
	ringEntriesMin = 8
)

// memlockPatience is how long a driver waits for locked memory before it makes a smaller ring.
const memlockPatience = time.Second

// setUp makes the ring. Its size is for long, and so it is not decided by what is short for a moment.
func (d *ringDriver) setUp() (err error) {
	entries, patience := uint32(ringEntries), memlockPatience
	for pause := time.Millisecond; ; {
		if d.ring, err = uring.New(entries); !errors.Is(err, unix.ENOMEM) {
			return err
		}
		switch {
		case patience > 0 && fitsMemlock(entries):
			time.Sleep(pause)
			patience -= pause
			pause *= 2
		case entries > ringEntriesMin:
			entries /= 2
			d.meter.degraded("smaller submission queue", "entries", entries, "error", err)
		default:
			return err
		}
	}
}

// fitsMemlock reports whether RLIMIT_MEMLOCK allows for a ring of so many entries. Kernels that count rings towards it
// go on counting a closed one until a worker has taken it apart, so that there may be room in a moment.
func fitsMemlock(entries uint32) bool {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	return err == nil && limit.Cur != unix.RLIM_INFINITY && limit.Cur >= ringBytes(entries)
}

// ringBytes returns how much memory a ring of so many entries takes, at most: an SQE, an index and two CQEs for each.
func ringBytes(entries uint32) uint64 { return uint64(entries)*(64+4+2*16) + uint64(os.Getpagesize()) }
