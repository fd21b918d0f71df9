package cring

// SQE mirrors struct io_uring_sqe of <linux/io_uring.h>: one submission queue entry of 64 bytes. The
// kernel's unions are named after their most general member; abi_test.go holds every offset equal to C's.
type SQE struct {
	Opcode      uint8
	Flags       uint8
	IOPrio      uint16
	Fd          int32
	Off         uint64 // addr2 | cmd_op
	Addr        uint64 // splice_off_in | level, optname
	Len         uint32
	OpFlags     uint32 // rw_flags, msg_flags, accept_flags, poll32_events ...
	UserData    uint64
	BufIndex    uint16 // buf_group
	Personality uint16
	FileIndex   int32 // splice_fd_in | addr_len, __pad3 | optlen
	Addr3       uint64
	Pad2        uint64
}

// CQE mirrors struct io_uring_cqe without its optional big_cqe tail: one completion of 16 bytes.
type CQE struct {
	UserData uint64
	Res      int32
	Flags    uint32
}

// Buf mirrors struct io_uring_buf: one entry of a provided-buffer ring. The Resv field of entry 0 is
// the ring's tail (struct io_uring_buf_ring).
type Buf struct {
	Addr uint64
	Len  uint32
	Bid  uint16
	Resv uint16
}

// Timespec mirrors struct __kernel_timespec, 64 bits wide on every architecture.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// Iovec mirrors struct iovec, with the base as a number: an Iovec never keeps its memory alive.
type Iovec struct {
	Base uint64
	Len  uint64
}

// Msghdr mirrors struct msghdr of 64-bit Linux, with numbers in place of pointers (see Iovec).
type Msghdr struct {
	Name       uint64
	Namelen    uint32
	_          uint32
	Iov        uint64
	Iovlen     uint64
	Control    uint64
	Controllen uint64
	Flags      int32
	_          int32
}
