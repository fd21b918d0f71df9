package uring

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/unix"
)

// Registrations of tables that requests name by index: fixed buffers and fixed files.

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
type fixedBuffers struct{ slots []fixedBuffer }

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

// fixedTable notes a table of n empty indexes, which is kept until it is unregistered, or the slots are let go of: the
// kernel is done with both at once.
func (r *Ring) fixedTable(n int) []fixedBuffer {
	if r.fixed == nil {
		r.fixed = &fixedBuffers{}
		r.slots.kept = r.fixed.release
	}
	r.fixed.release()
	r.fixed.slots = make([]fixedBuffer, n)
	r.undo.buffers = r.unregisterBuffers
	return r.fixed.slots
}

// fixedBuffers returns the table, which is empty where there is none.
func (r *Ring) fixedBuffers() []fixedBuffer {
	if r.fixed == nil {
		return nil
	}
	return r.fixed.slots
}

// release forgets the table, once the kernel has.
func (f *fixedBuffers) release() {
	for i := range f.slots {
		f.slots[i].clear()
	}
	f.slots = nil
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
		slots := r.fixedTable(len(buffers))
		for i, b := range buffers {
			slots[i].set(b, shared)
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
		r.fixedTable(n)
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
	slots := r.fixedBuffers()
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
		if r.fixed != nil { // else C code has registered the table
			r.fixed.release()
		}
		r.undo.buffers = nil
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
	switch {
	case src == nil:
		return fmt.Errorf("uring: clone buffers of no ring: %w", unix.EINVAL)
	case src.isZero() || src.life.closing.Load():
		return fmt.Errorf("uring: clone buffers: the other ring: %w", ErrClosed)
	}
	arg := cring.CloneBuffers{SrcFd: uint32(src.Fd())}
	_, err := r.register(opCloneBuffers, "clone buffers", unsafe.Pointer(&arg), 1) // SAFETY: read during the call only.
	if err != nil {
		return err
	}
	from := src.fixedBuffers()
	slots := r.fixedTable(len(from))
	for i := range from {
		slots[i].set(from[i].mem, from[i].shared)
	}
	return nil
}

// Values that stand for no descriptor in a table of registered files.
const (
	FilesEmpty = -1                      // the index is empty, or becomes so
	FilesSkip  = cring.RegisterFilesSkip // UpdateFiles leaves the index as it is. Since 5.12.
)

var (
	opFiles = registerOp{cring.RegisterFiles, "IORING_REGISTER_FILES", probe.Version{Major: 5, Minor: 1}, everKnown}

	opFilesSparse = registerOp{
		cring.RegisterFiles2, CanSparseFiles,
		probe.Version{Major: 5, Minor: 19},
		int(unsafe.Sizeof(cring.RsrcRegister{})),
	}

	opFilesUpdate = registerOp{
		cring.RegisterFilesUpdate, "IORING_REGISTER_FILES_UPDATE",
		probe.Version{Major: 5, Minor: 5},
		everKnown,
	}

	opFilesUnregister = registerOp{
		cring.UnregisterFiles, "IORING_UNREGISTER_FILES",
		probe.Version{Major: 5, Minor: 1},
		everKnown,
	}

	opFileAllocRange = registerOp{
		cring.RegisterFileAllocRange, "IORING_REGISTER_FILE_ALLOC_RANGE",
		probe.Version{Major: 6, Minor: 0},
		0,
	}
)

// RegisterFiles gives the ring a table of files, for SQEs with SQE.FixedFile to name by their index: the kernel then
// need not look the descriptor up each time. It wraps io_uring_register_files(3). FilesEmpty leaves an index empty
// (since 5.5). A descriptor that is not open is unix.EBADF, and a second table unix.EBUSY; the number is limited by
// RLIMIT_NOFILE (unix.EMFILE). Since 5.1.
//
// The table holds the files open by itself, until they are unregistered or replaced, or the ring is closed: the
// caller may close the descriptors, and a peer sees a socket end only when both have let go of it.
func (r *Ring) RegisterFiles(fds []int) error {
	if err := r.owned(); err != nil {
		return err
	}
	files, err := fileTable(fds)
	if err != nil {
		return err
	}
	// SAFETY: read during the call only.
	_, err = r.register(opFiles, "register files", unsafe.Pointer(unsafe.SliceData(files)), uint32(len(files)))
	if err == nil {
		r.undo.files = r.unregisterFiles
	}
	return err
}

// fileTable is descriptors as the kernel takes them.
func fileTable(fds []int) ([]int32, error) {
	if len(fds) == 0 {
		return nil, fmt.Errorf("uring: register no files: %w", unix.EINVAL)
	}
	files := make([]int32, len(fds))
	for i, fd := range fds {
		if int64(fd) < FilesSkip || int64(fd) > math.MaxInt32 {
			return nil, fmt.Errorf("uring: register file descriptor %d: %w", fd, unix.EBADF)
		}
		files[i] = int32(fd)
	}
	return files, nil
}

// RegisterFilesSparse gives the ring a table of n empty indexes, for UpdateFiles and for the direct descriptors of
// accept, open and socket requests to fill. It wraps io_uring_register_files_sparse(3). Since 5.19.
func (r *Ring) RegisterFilesSparse(n int) error {
	if err := r.owned(); err != nil {
		return err
	}
	if n < 1 || int64(n) > math.MaxInt32 {
		return fmt.Errorf("uring: register %d files: %w", n, unix.EINVAL)
	}
	err := r.registerSparse(opFilesSparse, "register an empty table of files", n)
	if err == nil {
		r.undo.files = r.unregisterFiles
	}
	return err
}

// UpdateFiles has the indexes from first on stand for other files, and returns how many were looked at; FilesEmpty
// empties an index and FilesSkip leaves it alone. Where that is not all of them, the error says why the next was not:
// unix.EBADF for a descriptor that is not open, unix.EINVAL for an index that the table does not have. Operations in
// flight go on with the file that they began with. It wraps io_uring_register_files_update(3). Since 5.5.
func (r *Ring) UpdateFiles(first int, fds []int) (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	files, err := fileTable(fds)
	if err != nil {
		return 0, err
	}
	if first < 0 || int64(first) > math.MaxInt32 {
		return 0, fmt.Errorf("uring: update files from index %d on: %w", first, unix.EINVAL)
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&files[0])
	n := 0
	for n < len(files) && err == nil { // where the kernel stops midway, the next call says why
		var more int
		arg := cring.FilesUpdate{
			Offset: uint32(first + n), Fds: uint64(uintptr(unsafe.Pointer(&files[n]))), // SAFETY: pinned above.
		}
		// SAFETY: read during the call only.
		more, err = r.register(opFilesUpdate, "update files", unsafe.Pointer(&arg), uint32(len(files)-n))
		n += more
	}
	return n, err
}

// UnregisterFiles takes the table of files back. Operations in flight go on with the files that they began with;
// kernels before 6.13 wait for them, for as long as Close may wait. It wraps io_uring_unregister_files(3). Where
// there is no table it is unix.ENXIO. Since 5.1.
func (r *Ring) UnregisterFiles() error {
	if err := r.owned(); err != nil {
		return err
	}
	return r.unregisterFiles()
}

func (r *Ring) unregisterFiles() error {
	_, err := r.register(opFilesUnregister, "unregister files", nil, 0)
	if err == nil {
		r.undo.files = nil
	}
	return err
}

// RegisterFileAllocRange has direct descriptors that the kernel chooses itself come from the n indexes from first on,
// so that the others are the application's to choose. It wraps io_uring_register_file_alloc_range(3). Since 6.0.
func (r *Ring) RegisterFileAllocRange(first, n int) error {
	if err := r.owned(); err != nil {
		return err
	}
	if first < 0 || n < 0 || int64(first)+int64(n) > math.MaxUint32 {
		return fmt.Errorf("uring: allocate %d files from index %d on: %w", n, first, unix.EINVAL)
	}
	arg := cring.FileIndexRange{Off: uint32(first), Len: uint32(n)}
	// SAFETY: read during the call only.
	_, err := r.register(opFileAllocRange, "register the range of allocated files", unsafe.Pointer(&arg), 0)
	return err
}
