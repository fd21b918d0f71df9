package uring

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

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
	r.undo.files = r.undo.files || err == nil
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
	r.undo.files = r.undo.files || err == nil
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
		r.undo.files = false
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
