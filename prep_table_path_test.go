//go:build linux && cgo

package uring

import (
	"github.com/sockring/uring/cring"
)

var openRows = []prepRow{
	{c: "io_uring_prep_openat", method: "PrepOpenat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mode := in.fd(), in.path(), in.flags(), in.u32()
		err := s.PrepOpenat(dfd, path, flags, mode)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags, mode), err
	}},
	{c: "io_uring_prep_openat_direct", method: "PrepOpenatDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mode, index := in.fd(), in.path(), in.flags(), in.u32(), in.index()
		err := s.PrepOpenatDirect(dfd, path, flags, mode, index)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags, mode, fixedIndex(index)), err
	}},
	{c: "io_uring_prep_open", method: "PrepOpen", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags, mode := in.path(), in.flags(), in.u32()
		err := s.PrepOpen(path, flags, mode)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags, mode), err
	}},
	{c: "io_uring_prep_open_direct", method: "PrepOpenDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags, mode, index := in.path(), in.flags(), in.u32(), in.index()
		err := s.PrepOpenDirect(path, flags, mode, index)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags, mode, index), err
	}},
	{c: "io_uring_prep_openat2", method: "PrepOpenat2", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, how := in.fd(), in.path(), OpenHow{Flags: in.u64(), Mode: in.u64(), Resolve: in.u64()}
		err := s.PrepOpenat2(dfd, path, how)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]OpenHow{how}))
		return vals(dfd, s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_openat2_direct", method: "PrepOpenat2Direct", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, how := in.fd(), in.path(), OpenHow{Flags: in.u64(), Mode: in.u64(), Resolve: in.u64()}
		index := in.index()
		err := s.PrepOpenat2Direct(dfd, path, how, index)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]OpenHow{how}))
		return vals(dfd, s.raw.Addr, s.raw.Off, fixedIndex(index)), err
	}},
	{c: "io_uring_prep_statx", method: "PrepStatx", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mask, st := in.fd(), in.path(), in.flags(), in.u32(), new(Statx)
		st.Size = in.u64()
		err := s.PrepStatx(dfd, path, flags, mask, st)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]Statx{*st}))
		return vals(dfd, s.raw.Addr, flags, mask, where(st)), err
	}},
}

var pathRows = []prepRow{
	{c: "io_uring_prep_unlinkat", method: "PrepUnlinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags := in.fd(), in.path(), in.flags()
		err := s.PrepUnlinkat(dfd, path, flags)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags), err
	}},
	{c: "io_uring_prep_unlink", method: "PrepUnlink", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags := in.path(), in.flags()
		err := s.PrepUnlink(path, flags)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags), err
	}},
	{c: "io_uring_prep_renameat", method: "PrepRenameat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, newDfd, newPath, flags := in.fd(), in.path(), in.fd(), in.path(), in.u32()
		err := s.PrepRenameat(dfd, path, newDfd, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(dfd, s.raw.Addr, newDfd, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_rename", method: "PrepRename", call: func(s *SQE, in *input) ([]uint64, error) {
		path, newPath := in.path(), in.path()
		err := s.PrepRename(path, newPath)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_mkdirat", method: "PrepMkdirat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, mode := in.fd(), in.path(), in.u32()
		err := s.PrepMkdirat(dfd, path, mode)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, mode), err
	}},
	{c: "io_uring_prep_mkdir", method: "PrepMkdir", call: func(s *SQE, in *input) ([]uint64, error) {
		path, mode := in.path(), in.u32()
		err := s.PrepMkdir(path, mode)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, mode), err
	}},
	{c: "io_uring_prep_symlinkat", method: "PrepSymlinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		target, dfd, path := in.path(), in.fd(), in.path()
		err := s.PrepSymlinkat(target, dfd, path)
		in.text(s.raw.Addr, target)
		in.text(s.raw.Off, path)
		return vals(s.raw.Addr, dfd, s.raw.Off), err
	}},
	{c: "io_uring_prep_symlink", method: "PrepSymlink", call: func(s *SQE, in *input) ([]uint64, error) {
		target, path := in.path(), in.path()
		err := s.PrepSymlink(target, path)
		in.text(s.raw.Addr, target)
		in.text(s.raw.Off, path)
		return vals(s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_linkat", method: "PrepLinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, newDfd, newPath, flags := in.fd(), in.path(), in.fd(), in.path(), in.flags()
		err := s.PrepLinkat(dfd, path, newDfd, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(dfd, s.raw.Addr, newDfd, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_link", method: "PrepLink", call: func(s *SQE, in *input) ([]uint64, error) {
		path, newPath, flags := in.path(), in.path(), in.flags()
		err := s.PrepLink(path, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(s.raw.Addr, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_getxattr", method: "PrepGetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		name, value, path := in.path(), in.bytes(), in.path()
		err := s.PrepGetxattr(name, value, path)
		in.attribute(s.raw, name, value)
		in.text(s.raw.Addr3, path)
		return vals(s.raw.Addr, value, s.raw.Addr3, len(value)), err
	}},
	{c: "io_uring_prep_setxattr", method: "PrepSetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		name, value, path, flags := in.path(), in.bytes(), in.path(), in.flags()
		err := s.PrepSetxattr(name, value, path, flags)
		in.attribute(s.raw, name, value)
		in.text(s.raw.Addr3, path)
		return vals(s.raw.Addr, value, s.raw.Addr3, flags, len(value)), err
	}},
	{c: "io_uring_prep_fgetxattr", method: "PrepFgetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, name, value := in.fd(), in.path(), in.bytes()
		err := s.PrepFgetxattr(fd, name, value)
		in.attribute(s.raw, name, value)
		return vals(fd, s.raw.Addr, value, len(value)), err
	}},
	{c: "io_uring_prep_fsetxattr", method: "PrepFsetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, name, value, flags := in.fd(), in.path(), in.bytes(), in.flags()
		err := s.PrepFsetxattr(fd, name, value, flags)
		in.attribute(s.raw, name, value)
		return vals(fd, s.raw.Addr, value, flags, len(value)), err
	}},
}

// attribute notes what the kernel has to find of an extended attribute.
func (in *input) attribute(q *cring.SQE, name string, value []byte) {
	in.text(q.Addr, name)
	in.sees(address(value), value)
}
