package rawring

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// memlockPatience is how long Create retries ENOMEM. Kernels before 5.12 charge ring memory to RLIMIT_MEMLOCK and
// give it back some time after the ring was closed, so that making rings in a row may fail for a moment.
const memlockPatience = 100 * time.Millisecond

// Ring is a plain io_uring instance. It belongs to the goroutine that made it, which stays on its thread while the
// ring lives.
//
// Ownership: the kernel writes sqHead, sqFlags, cqTail and the CQEs between head and tail. Go writes the SQEs, sqTail
// and cqHead. What a request names by address must stay in place until its terminal CQE or until Close returned true.
type Ring struct {
	Fd     int
	Params cring.Params // as the kernel filled it at set-up

	sqMem, cqMem, sqeMem []byte
	sqHead, sqTail       *uint32
	cqHead, cqTail       *uint32
	sqes                 []cring.SQE
	cqes                 []cring.CQE

	lastID   uint64
	inFlight map[uint64]bool // requests whose terminal CQE has not been seen
	ready    []cring.CQE     // seen and not yet asked for
}

// Create wraps io_uring_setup(2): it makes a ring with room for entries requests as p asks, fills p with what the
// kernel granted and returns the ring's descriptor, which the caller closes. With IORING_SETUP_REGISTERED_FD_ONLY
// that is a registered index instead. The error is a unix.Errno.
func Create(entries uint32, p *cring.Params) (int, error) {
	for patience := time.Millisecond; ; patience *= 2 {
		asked := *p
		// SAFETY: Params mirrors struct io_uring_params, and the kernel is done with it when the call returns.
		fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
		switch {
		case errno == 0:
			return int(fd), nil
		case errno == unix.ENOMEM && patience < memlockPatience, errno == unix.EINTR:
			*p = asked
			time.Sleep(patience)
		default:
			return -1, errno
		}
	}
}

// New makes a ring with room for entries requests and maps it. Flags are IORING_SETUP_* bits that leave the sizes of
// SQEs and CQEs, the mappings and the index array alone.
func New(entries, flags uint32) (*Ring, error) {
	r := &Ring{Params: cring.Params{Flags: flags}, inFlight: make(map[uint64]bool)}
	fd, err := Create(entries, &r.Params)
	if err != nil {
		return nil, err
	}
	r.Fd = fd
	if err := r.mapQueues(); err != nil {
		r.unmap()
		unix.Close(fd)
		return nil, err
	}
	return r, nil
}

// mapQueues maps the two rings and the SQE array. It maps the rings one by one, which works with
// IORING_FEAT_SINGLE_MMAP too.
func (r *Ring) mapQueues() error {
	p := &r.Params
	for _, m := range []struct {
		mem    *[]byte
		offset int64
		length uintptr
	}{
		{&r.sqMem, cring.OffSQRing, uintptr(p.SQOff.Array) + uintptr(p.SQEntries)*4},
		{&r.cqMem, cring.OffCQRing, uintptr(p.CQOff.CQEs) + uintptr(p.CQEntries)*unsafe.Sizeof(cring.CQE{})},
		{&r.sqeMem, cring.OffSQEs, uintptr(p.SQEntries) * unsafe.Sizeof(cring.SQE{})},
	} {
		mem, err := unix.Mmap(r.Fd, m.offset, int(m.length), unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return err
		}
		*m.mem = mem
	}
	r.sqHead, r.sqTail = word(r.sqMem, p.SQOff.Head), word(r.sqMem, p.SQOff.Tail)
	r.cqHead, r.cqTail = word(r.cqMem, p.CQOff.Head), word(r.cqMem, p.CQOff.Tail)
	// SAFETY: the kernel laid out SQEntries SQEs at the start of their mapping, which was made that long above.
	r.sqes = unsafe.Slice((*cring.SQE)(unsafe.Pointer(&r.sqeMem[0])), p.SQEntries)
	// SAFETY: the kernel laid out CQEntries CQEs at CQOff.CQEs, aligned, and the mapping reaches to their end.
	r.cqes = unsafe.Slice((*cring.CQE)(unsafe.Pointer(&r.cqMem[p.CQOff.CQEs])), p.CQEntries)
	for i := range p.SQEntries {
		*word(r.sqMem, p.SQOff.Array+4*i) = i
	}
	return nil
}

// word is the 32-bit word at offset, which the kernel keeps aligned.
func word(mem []byte, offset uint32) *uint32 {
	// SAFETY: the slice expression has checked that the word lies within the mapping.
	return (*uint32)(unsafe.Pointer(&mem[offset : offset+4][0]))
}

func (r *Ring) unmap() {
	for _, mem := range [][]byte{r.sqMem, r.cqMem, r.sqeMem} {
		if mem != nil {
			// Munmap fails only for a slice that Mmap did not return.
			_ = unix.Munmap(mem)
		}
	}
	r.sqMem, r.cqMem, r.sqeMem, r.sqes, r.cqes = nil, nil, nil, nil, nil
}

// drainPatience is how long Close waits for requests that it cancelled.
const drainPatience = 200 * time.Millisecond

// Close cancels what is in flight, waits for it, and closes the ring. It reports whether every request has ended: if
// not, the kernel may yet write to memory that they name, which then must stay allocated for good.
func (r *Ring) Close() bool {
	deadline := time.Now().Add(drainPatience)
	for id := range r.inFlight {
		cancel, err := r.Submit(cring.SQE{Opcode: cring.OpAsyncCancel, Fd: -1, Addr: id})
		if err == nil {
			_, _ = r.Await(cancel, time.Until(deadline))
		}
	}
	for id := range r.inFlight {
		for r.inFlight[id] {
			if _, err := r.Await(id, time.Until(deadline)); err != nil {
				break
			}
		}
	}
	r.unmap()
	unix.Close(r.Fd)
	r.Fd = -1
	return len(r.inFlight) == 0
}

// Room returns how many requests may be submitted at once.
func (r *Ring) Room() int { return len(r.sqes) - int(*r.sqTail-atomic.LoadUint32(r.sqHead)) }
