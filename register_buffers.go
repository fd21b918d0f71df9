package uring

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

// Limits of io_uring_register_buffers(3).
const (
	fixedBuffersMax   = 1 << 14
	fixedBufferLenMax = 1 << 30
)

var (
	opBuffers = registerOp{cring.RegisterBuffers, "IORING_REGISTER_BUFFERS", probe.Version{Major: 5, Minor: 1}, everKnown}

	opBuffersSparse = registerOp{
		cring.RegisterBuffers2, CanSparseBuffers,
		probe.Version{Major: 5, Minor: 19},
		int(unsafe.Sizeof(cring.RsrcRegister{})),
	}

	opBuffersUpdate = registerOp{
		cring.RegisterBuffersUpdate, "IORING_REGISTER_BUFFERS_UPDATE",
		probe.Version{Major: 5, Minor: 13},
		int(unsafe.Sizeof(cring.RsrcUpdate2{})),
	}

	opBuffersUnregister = registerOp{
		cring.UnregisterBuffers, "IORING_UNREGISTER_BUFFERS",
		probe.Version{Major: 5, Minor: 1},
		everKnown,
	}

	opCloneBuffers = registerOp{
		cring.RegisterCloneBuffers, "IORING_REGISTER_CLONE_BUFFERS",
		probe.Version{Major: 6, Minor: 12},
		1,
	}
)

// fixedBuffers is the memory that the kernel knows by index.
//
// Ownership: registering hands no bytes over. An operation that names a fixed buffer pins its memory as any other
// does. The table keeps memory allocated and in place for as long as an index stands for it, since C code on the same
// ring can name the index at any time.
type fixedBuffers struct {
	slots      []fixedBuffer
	registered bool
}

type fixedBuffer struct {
	mem    []byte
	pinner runtime.Pinner
	shared *sharedMemory // where it is not the caller's
}

// sharedMemory is mapped memory in which the buffers of several rings lie.
type sharedMemory struct {
	mem  []byte
	refs atomic.Int32
}

func (m *sharedMemory) release() {
	if m != nil && m.refs.Add(-1) == 0 {
		_ = freeBuffers(m.mem) // the mapping is ours: munmap of it cannot fail
	}
}

// set has an index stand for mem, or for nothing.
func (b *fixedBuffer) set(mem []byte, shared *sharedMemory) {
	b.clear()
	if len(mem) == 0 {
		return
	}
	b.mem, b.shared = mem, shared
	b.pinner.Pin(unsafe.SliceData(mem))
	if shared != nil {
		shared.refs.Add(1)
	}
}

func (b *fixedBuffer) clear() {
	b.pinner.Unpin()
	b.shared.release()
	b.mem, b.shared = nil, nil
}

// make replaces the table by one of n empty indexes.
func (f *fixedBuffers) make(n int) {
	f.release()
	f.slots, f.registered = make([]fixedBuffer, n), true
}

// release forgets the table, once the kernel has.
func (f *fixedBuffers) release() {
	for i := range f.slots {
		f.slots[i].clear()
	}
	f.slots, f.registered = nil, false
}

// RegisterBuffers gives the ring a table of fixed buffers, for the operations that name a buffer by its index, such
// as PrepReadFixed and PrepSendZCFixed; the kernel then need not look their pages up each time. It wraps
// io_uring_register_buffers(3). Since 5.1.
//
// There may be 1 to 16384 buffers (1024 before 5.13), each of up to 1 GiB; a nil one leaves its index empty (since
// 5.13). An empty one that is not nil is unix.EINVAL. The memory counts against RLIMIT_MEMLOCK where the process
// lacks CAP_IPC_LOCK, and too little of that is unix.ENOMEM. A second table is unix.EBUSY.
//
// The memory stays the caller's, who may use it whenever no operation does. The ring keeps it pinned until it is
// unregistered, replaced, or the ring is closed. It may be Go memory, and mapped memory that is not unmapped
// meanwhile.
func (r *Ring) RegisterBuffers(buffers [][]byte) error {
	return r.registerBuffers(buffers, nil)
}

// RegisterMappedBuffers maps memory for n buffers of size bytes each and registers them as RegisterBuffers does. The
// memory is zeroed, lies outside the Go heap, and in one piece, which takes the kernel the least to look after. It is
// unmapped by UnregisterBuffers and Close, once no clone of the table has it either: nobody may touch it then.
func (r *Ring) RegisterMappedBuffers(n, size int) ([][]byte, error) {
	if err := r.owned(); err != nil {
		return nil, err
	}
	if n < 1 || n > fixedBuffersMax || size < 1 || size > fixedBufferLenMax {
		return nil, fmt.Errorf("uring: register %d buffers of %d bytes: %w", n, size, unix.EINVAL)
	}
	mem, err := allocBuffers(n * size)
	if err != nil {
		return nil, err
	}
	shared := &sharedMemory{mem: mem}
	shared.refs.Add(1)
	defer shared.release()
	buffers := make([][]byte, n)
	for i := range buffers {
		buffers[i] = mem[i*size : (i+1)*size : (i+1)*size]
	}
	if err := r.registerBuffers(buffers, shared); err != nil {
		return nil, err
	}
	return buffers, nil
}

func (r *Ring) registerBuffers(buffers [][]byte, shared *sharedMemory) error {
	if err := r.owned(); err != nil {
		return err
	}
	if len(buffers) < 1 || len(buffers) > fixedBuffersMax {
		return fmt.Errorf("uring: register %d buffers, want 1 to %d: %w", len(buffers), fixedBuffersMax, unix.EINVAL)
	}
	iovecs, err := fixedIovecs(buffers)
	if err != nil {
		return err
	}
	// SAFETY: the iovecs are read during the call only; buffers keeps what they name alive until the table pins it, and
	// Go's heap does not move.
	_, err = r.register(opBuffers, "register buffers", unsafe.Pointer(&iovecs[0]), uint32(len(iovecs)))
	if err == nil {
		r.slots.fixed.make(len(buffers))
		for i, b := range buffers {
			r.slots.fixed.slots[i].set(b, shared)
		}
	}
	runtime.KeepAlive(buffers)
	return err
}

// fixedIovecs is the buffers as the kernel takes them. It allocates: what is found in the returned slice by address
// stays in place.
func fixedIovecs(buffers [][]byte) ([]cring.Iovec, error) {
	iovecs := make([]cring.Iovec, len(buffers))
	for i, b := range buffers {
		switch {
		case b == nil:
		case len(b) == 0 || len(b) > fixedBufferLenMax:
			return nil, fmt.Errorf("uring: fixed buffer %d of %d bytes, want 1 to %d: %w",
				i, len(b), fixedBufferLenMax, unix.EINVAL)
		default:
			first := unsafe.Pointer(unsafe.SliceData(b)) // SAFETY: the callers keep the slice alive during the call.
			iovecs[i] = cring.Iovec{Base: uint64(uintptr(first)), Len: uint64(len(b))}
		}
	}
	return iovecs, nil
}

// RegisterBuffersSparse gives the ring a table of n empty indexes, 1 to 16384, for UpdateBuffers to fill. It wraps
// io_uring_register_buffers_sparse(3). Since 5.19.
func (r *Ring) RegisterBuffersSparse(n int) error {
	if err := r.owned(); err != nil {
		return err
	}
	if n < 1 || n > fixedBuffersMax {
		return fmt.Errorf("uring: register %d buffers, want 1 to %d: %w", n, fixedBuffersMax, unix.EINVAL)
	}
	err := r.registerSparse(opBuffersSparse, "register an empty table of buffers", n)
	if err == nil {
		r.slots.fixed.make(n)
	}
	return err
}

// registerSparse registers a table of n empty indexes. Kernels from 5.13 on know the operations, and from 5.19 on the
// flag: which of its arguments one has refused, a table of a single index tells.
func (r *Ring) registerSparse(op registerOp, what string, n int) error {
	arg := cring.RsrcRegister{Nr: uint32(n), Flags: cring.RsrcRegisterSparse}
	size := uint32(unsafe.Sizeof(arg))
	_, err := r.register(op, what, unsafe.Pointer(&arg), size) // SAFETY: read during the call only.
	if !errors.Is(err, unix.EINVAL) || errors.Is(err, ErrUnsupported) {
		return err
	}
	arg.Nr = 1
	switch r.registerCall(op.code, unsafe.Pointer(&arg), size) { // SAFETY: as above.
	case -int(unix.EINVAL):
		return unsupportedOp(op, opError("io_uring_register", int(unix.EINVAL)))
	case 0:
		unregister := uint32(cring.UnregisterBuffers)
		if op.code == cring.RegisterFiles2 {
			unregister = cring.UnregisterFiles
		}
		r.registerCall(unregister, nil, 0)
	}
	return err
}

// UpdateBuffers has the indexes from first on stand for other buffers, a nil one for nothing, and returns how many
// were replaced: where that is not all of them, the error says why the next was not. Operations in flight go on with
// the buffer that they began with. It wraps io_uring_register_buffers_update_tag(3). Since 5.13.
func (r *Ring) UpdateBuffers(first int, buffers [][]byte) (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	slots := r.slots.fixed.slots
	if len(buffers) < 1 || first < 0 || first+len(buffers) > len(slots) {
		return 0, fmt.Errorf("uring: update %d buffers from index %d on, of a table of %d: %w",
			len(buffers), first, len(slots), unix.EINVAL)
	}
	iovecs, err := fixedIovecs(buffers)
	if err != nil {
		return 0, err
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&iovecs[0])
	n := 0
	for n < len(iovecs) && err == nil { // where the kernel stops midway, the next call says why
		var more int
		arg := cring.RsrcUpdate2{
			Offset: uint32(first + n), Nr: uint32(len(iovecs) - n),
			Data: uint64(uintptr(unsafe.Pointer(&iovecs[n]))), // SAFETY: pinned above.
		}
		// SAFETY: read during the call only; buffers keeps what it leads to alive until the table pins it.
		more, err = r.register(opBuffersUpdate, "update buffers", unsafe.Pointer(&arg), uint32(unsafe.Sizeof(arg)))
		for range more {
			slots[first+n].set(buffers[n], nil)
			n++
		}
	}
	runtime.KeepAlive(buffers)
	return n, err
}

// UnregisterBuffers takes the table of fixed buffers back. Operations in flight go on with the buffers that they
// began with; kernels before 6.13 wait for them, for as long as Close may wait. It wraps
// io_uring_unregister_buffers(3). Where there is no table it is unix.ENXIO. Since 5.1.
func (r *Ring) UnregisterBuffers() error {
	if err := r.owned(); err != nil {
		return err
	}
	return r.unregisterBuffers()
}

func (r *Ring) unregisterBuffers() error {
	_, err := r.register(opBuffersUnregister, "unregister buffers", nil, 0)
	if err == nil {
		r.slots.fixed.release()
	}
	return err
}

// CloneBuffers gives this ring, which has none, the fixed buffers of src, which keeps them. Both then pin the memory,
// and share the kernel's knowledge of its pages. src may belong to another goroutine, which must leave its table
// alone meanwhile. It wraps io_uring_clone_buffers(3). A ring that has buffers is unix.EBUSY, and a src that has none
// unix.ENXIO. Since 6.12.
func (r *Ring) CloneBuffers(src *Ring) error {
	if err := r.owned(); err != nil {
		return err
	}
	if src.life.closing.Load() {
		return fmt.Errorf("uring: clone buffers: the other ring: %w", ErrClosed)
	}
	arg := cring.CloneBuffers{SrcFd: uint32(src.Fd())}
	_, err := r.register(opCloneBuffers, "clone buffers", unsafe.Pointer(&arg), 1) // SAFETY: read during the call only.
	if err != nil {
		return err
	}
	from := src.slots.fixed.slots
	r.slots.fixed.make(len(from))
	for i := range from {
		r.slots.fixed.slots[i].set(from[i].mem, from[i].shared)
	}
	return nil
}
