//go:build linux && cgo

package uring

import (
	"math"
)

// vector notes what the kernel has to find of buffers.
func (in *input) vector(s *SQE, buffers [][]byte) {
	in.sees(s.raw.Addr, iovecs(buffers))
	for _, b := range buffers {
		in.sees(address(b), b)
	}
}

var readWriteRows = []prepRow{
	{c: "io_uring_prep_read", method: "PrepRead", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off := in.fd(), in.bytes(), in.offset()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off), s.PrepRead(fd, p, off)
	}},
	{c: "io_uring_prep_write", method: "PrepWrite", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off := in.fd(), in.bytes(), in.offset()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off), s.PrepWrite(fd, p, off)
	}},
	{c: "io_uring_prep_read_fixed", method: "PrepReadFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off, index := in.fd(), in.bytes(), in.offset(), in.u16()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off, index), s.PrepReadFixed(fd, p, off, index)
	}},
	{c: "io_uring_prep_write_fixed", method: "PrepWriteFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off, index := in.fd(), in.bytes(), in.offset(), in.u16()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off, index), s.PrepWriteFixed(fd, p, off, index)
	}},
	{c: "io_uring_prep_read_multishot", method: "PrepReadMultishot", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n, off, group := in.fd(), int(in.num(0, ioLenMax)), in.offset(), in.u16()
		return vals(fd, n, off, group), s.PrepReadMultishot(fd, n, off, group)
	}},
	{c: "io_uring_prep_readv", method: "PrepReadv", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off := in.fd(), in.buffers(), in.offset()
		err := s.PrepReadv(fd, v, off)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off), err
	}},
	{c: "io_uring_prep_readv2", method: "PrepReadv2", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags := in.fd(), in.buffers(), in.offset(), in.flags()
		err := s.PrepReadv2(fd, v, off, flags)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags), err
	}},
	{c: "io_uring_prep_readv_fixed", method: "PrepReadvFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags, index := in.fd(), in.buffers(), in.offset(), in.flags(), in.u16()
		err := s.PrepReadvFixed(fd, v, off, flags, index)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags, index), err
	}},
	{c: "io_uring_prep_writev", method: "PrepWritev", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off := in.fd(), in.buffers(), in.offset()
		err := s.PrepWritev(fd, v, off)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off), err
	}},
	{c: "io_uring_prep_writev2", method: "PrepWritev2", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags := in.fd(), in.buffers(), in.offset(), in.flags()
		err := s.PrepWritev2(fd, v, off, flags)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags), err
	}},
	{c: "io_uring_prep_writev_fixed", method: "PrepWritevFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags, index := in.fd(), in.buffers(), in.offset(), in.flags(), in.u16()
		err := s.PrepWritevFixed(fd, v, off, flags, index)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags, index), err
	}},
	{c: "io_uring_prep_splice", method: "PrepSplice", call: func(s *SQE, in *input) ([]uint64, error) {
		fdIn, offIn, fdOut, offOut := in.fd(), in.offset(), in.fd(), in.offset()
		n, flags := int(in.num(0, math.MaxUint32)), in.u32()
		return vals(fdIn, offIn, fdOut, offOut, n, flags), s.PrepSplice(fdIn, offIn, fdOut, offOut, n, flags)
	}},
	{c: "io_uring_prep_tee", method: "PrepTee", call: func(s *SQE, in *input) ([]uint64, error) {
		fdIn, fdOut, n, flags := in.fd(), in.fd(), int(in.num(0, math.MaxUint32)), in.u32()
		return vals(fdIn, fdOut, n, flags), s.PrepTee(fdIn, fdOut, n, flags)
	}},
	{c: "io_uring_prep_pipe", method: "PrepPipe", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, flags := &[2]int32{-1, -1}, in.flags()
		in.sees(where(fds), memory(fds[:]))
		return vals(where(fds), flags), s.PrepPipe(fds, flags)
	}},
	{c: "io_uring_prep_pipe_direct", method: "PrepPipeDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, flags, index := &[2]int32{-1, -1}, in.flags(), in.index()
		in.sees(where(fds), memory(fds[:]))
		return vals(where(fds), flags, index), s.PrepPipeDirect(fds, flags, index)
	}},
}

var fileRows = []prepRow{
	{c: "io_uring_prep_fsync", method: "PrepFsync", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, flags := in.fd(), in.u32()
		return vals(fd, flags), s.PrepFsync(fd, flags)
	}},
	{c: "io_uring_prep_sync_file_range", method: "PrepSyncFileRange", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n, off, flags := in.fd(), int(in.num(0, math.MaxUint32)), in.size(), in.flags()
		return vals(fd, n, off, flags), s.PrepSyncFileRange(fd, n, off, flags)
	}},
	{c: "io_uring_prep_fallocate", method: "PrepFallocate", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, mode, off, n := in.fd(), in.flags(), in.size(), in.size()
		return vals(fd, mode, off, n), s.PrepFallocate(fd, mode, off, n)
	}},
	{c: "io_uring_prep_ftruncate", method: "PrepFtruncate", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n := in.fd(), in.size()
		return vals(fd, n), s.PrepFtruncate(fd, n)
	}},
	{c: "io_uring_prep_fadvise", method: "PrepFadvise", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n, advice := in.fd(), in.size(), int(in.num(0, math.MaxUint32)), in.flags()
		return vals(fd, off, n, advice), s.PrepFadvise(fd, off, n, advice)
	}},
	{c: "io_uring_prep_fadvise64", method: "PrepFadvise64", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n, advice := in.fd(), in.size(), in.size(), in.flags()
		return vals(fd, off, n, advice), s.PrepFadvise64(fd, off, n, advice)
	}},
	{c: "io_uring_prep_madvise", method: "PrepMadvise", call: func(s *SQE, in *input) ([]uint64, error) {
		mem, advice := in.bytes(), in.flags()
		in.sees(address(mem), mem)
		return vals(mem, len(mem), advice), s.PrepMadvise(mem, advice)
	}},
	{c: "io_uring_prep_madvise64", method: "PrepMadvise64", call: func(s *SQE, in *input) ([]uint64, error) {
		mem, advice := in.bytes(), in.flags()
		in.sees(address(mem), mem)
		return vals(mem, len(mem), advice), s.PrepMadvise64(mem, advice)
	}},
	{c: "io_uring_prep_close", method: "PrepClose", call: func(s *SQE, in *input) ([]uint64, error) {
		fd := in.fd()
		return vals(fd), s.PrepClose(fd)
	}},
	{c: "io_uring_prep_close_direct", method: "PrepCloseDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		index := uint32(in.num(0, math.MaxInt32-1))
		return vals(index), s.PrepCloseDirect(index)
	}},
	{c: "io_uring_prep_files_update", method: "PrepFilesUpdate", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, offset := make([]int32, max(min(in.num(0, 20), 20), 0)), in.u32()
		for i := range fds {
			fds[i] = int32(in.fd())
		}
		err := s.PrepFilesUpdate(fds, offset)
		in.sees(s.raw.Addr, memory(fds))
		return vals(s.raw.Addr, len(fds), int32(offset)), err
	}},
	{c: "io_uring_prep_fixed_fd_install", method: "PrepFixedFdInstall", call: func(s *SQE, in *input) ([]uint64, error) {
		index, flags := in.fd(), in.u32()
		return vals(index, flags), s.PrepFixedFdInstall(index, flags)
	}},
	{c: "io_uring_prep_cmd_discard", method: "PrepCmdDiscard", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n := in.fd(), in.u64(), in.u64()
		return vals(fd, off, n), s.PrepCmdDiscard(fd, off, n)
	}},
}
