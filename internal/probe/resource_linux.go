package probe

import (
	"os"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

// registerBuffer registers one page of the arena with r.
func registerBuffer(r *rawring.Ring, mem *rawring.Arena) error {
	page := mem.Bytes(os.Getpagesize(), os.Getpagesize())
	_, err := register(r, cring.RegisterBuffers, &cring.Iovec{Base: rawring.Addr(&page[0]), Len: uint64(len(page))}, 1)
	return err
}

func tryBuffers(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	if err := registerBuffer(r, mem); err != nil {
		return err
	}
	return unregister(r, cring.UnregisterBuffers)
}

// registerSparse registers a table of n empty slots for files or buffers.
func registerSparse(r *rawring.Ring, op uint32, n uint32) error {
	arg := &cring.RsrcRegister{Nr: n, Flags: cring.RsrcRegisterSparse}
	_, err := register(r, op, arg, int(unsafe.Sizeof(*arg)))
	return err
}

func trySparseBuffers(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	if err := registerSparse(r, cring.RegisterBuffers2, 4); err != nil {
		return err
	}
	return unregister(r, cring.UnregisterBuffers)
}

func tryCloneBuffers(p *prober) error {
	from, mem, err := p.shared()
	if err != nil {
		return err
	}
	to, err := p.own(0)
	if err != nil {
		return err
	}
	if err := registerBuffer(from, mem); err != nil {
		return err
	}
	_, cloned := register(to, cring.RegisterCloneBuffers, &cring.CloneBuffers{SrcFd: uint32(from.Fd)}, 1)
	if err := unregister(from, cring.UnregisterBuffers); err != nil {
		return err
	}
	return cloned
}

// registerFile registers a table of one slot with an eventfd in it, which is returned.
func (p *prober) registerFile(r *rawring.Ring) (int, error) {
	fd, err := p.eventfd()
	if err != nil {
		return -1, err
	}
	file := int32(fd)
	_, err = register(r, cring.RegisterFiles, &file, 1)
	return fd, err
}

func tryFiles(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	if _, err := p.registerFile(r); err != nil {
		return err
	}
	return unregister(r, cring.UnregisterFiles)
}

func tryFilesUpdate(p *prober) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	if _, err := p.registerFile(r); err != nil {
		return err
	}
	empty := rawring.Alloc[int32](mem)
	*empty = -1
	_, updated := register(r, cring.RegisterFilesUpdate, &cring.FilesUpdate{Fds: rawring.Addr(empty)}, 1)
	if err := unregister(r, cring.UnregisterFiles); err != nil {
		return err
	}
	return updated
}

func trySparseFiles(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	if err := registerSparse(r, cring.RegisterFiles2, 4); err != nil {
		return err
	}
	return unregister(r, cring.UnregisterFiles)
}

func tryFileAllocRange(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	if err := registerSparse(r, cring.RegisterFiles2, 4); err != nil {
		return err
	}
	_, ranged := register(r, cring.RegisterFileAllocRange, &cring.FileIndexRange{Off: 1, Len: 2}, 0)
	if err := unregister(r, cring.UnregisterFiles); err != nil {
		return err
	}
	return ranged
}
