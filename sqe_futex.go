package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// The methods of this file take words of 32 bits, with cring.Futex2SizeU32 and optionally cring.Futex2Private as
// futexFlags. A word stays the kernel's to read until the terminal CQE; atomic operations on it are what it is for.
// flags must be zero.

// PrepFutexWake wraps io_uring_prep_futex_wake(3): it wakes up to n waiters whose mask has a bit in common with
// mask; the result is how many. Since 6.7.
func (s *SQE) PrepFutexWake(word *uint32, n, mask uint64, futexFlags, flags uint32) error {
	e := s.begin("PrepFutexWake", cring.OpFutexWake)
	e.futex(word, n, mask, futexFlags, flags)
	return e.end()
}

// PrepFutexWait wraps io_uring_prep_futex_wait(3): if the word has the value it waits to be woken, else the result is
// unix.EAGAIN. Since 6.7.
func (s *SQE) PrepFutexWait(word *uint32, value, mask uint64, futexFlags, flags uint32) error {
	e := s.begin("PrepFutexWait", cring.OpFutexWait)
	e.futex(word, value, mask, futexFlags, flags)
	return e.end()
}

func (p *prep) futex(word *uint32, value, mask uint64, futexFlags, flags uint32) {
	p.Addr = p.word(word)
	p.Off, p.Addr3 = value, mask
	p.Fd = int32(futexFlags)
	p.OpFlags = flags
}

// word pins a futex. Nothing is said to the race detector: the kernel's reads are atomic.
func (p *prep) word(word *uint32) uint64 {
	if word == nil {
		p.bad(unix.EINVAL, "no futex")
		return 0
	}
	if p.err != nil {
		return 0
	}
	p.s.slot.pinQuietly(unsafe.Pointer(word))    // SAFETY: as for pin.
	return uint64(uintptr(unsafe.Pointer(word))) // SAFETY: pinned by the line above.
}

// FutexWaiter is one word that PrepFutexWaitv waits on.
type FutexWaiter struct {
	Word  *uint32
	Value uint64 // what the word has to hold for there to be a wait
	Flags uint32 // cring.Futex2SizeU32, cring.Futex2Private
}

// PrepFutexWaitv wraps io_uring_prep_futex_waitv(3): it waits on 1 to 128 words until one of them is woken; the
// result is the index of that one. waiters is copied. Since 6.7.
func (s *SQE) PrepFutexWaitv(waiters []FutexWaiter, flags uint32) error {
	e := s.begin("PrepFutexWaitv", cring.OpFutexWaitv)
	n := len(waiters)
	if n == 0 || n > cring.FutexWaitvMax {
		e.bad(unix.EINVAL, "%d futexes, want 1 to %d", n, cring.FutexWaitvMax)
		return e.end()
	}
	vec := make([]cring.FutexWaitv, n)
	for i, w := range waiters {
		vec[i] = cring.FutexWaitv{Val: w.Value, Uaddr: e.word(w.Word), Flags: w.Flags}
	}
	e.Addr = e.pin(unsafe.Pointer(&vec[0]), uintptr(n)*unsafe.Sizeof(vec[0]), kernelReads) // SAFETY: see pin.
	e.Len = uint32(n)
	e.OpFlags = flags
	return e.end()
}
