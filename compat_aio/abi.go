package aio

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// opcode is an IOCB_CMD_* of <linux/aio_abi.h>.
type opcode uint16

const (
	opPread   opcode = 0
	opPwrite  opcode = 1
	opFsync   opcode = 2
	opFdsync  opcode = 3
	opPoll    opcode = 5
	opPreadv  opcode = 7
	opPwritev opcode = 8
)

// String is the operation as the errors of its results name it.
func (o opcode) String() string {
	switch o {
	case opPread:
		return "pread"
	case opPwrite:
		return "pwrite"
	case opFsync:
		return "fsync"
	case opFdsync:
		return "fdatasync"
	case opPoll:
		return "poll"
	case opPreadv:
		return "preadv"
	}
	return "pwritev"
}

// Bits of rawIOCB.flags.
const (
	flagResfd  = 1 << 0 // IOCB_FLAG_RESFD: resfd is an eventfd that counts the completion
	flagIOPrio = 1 << 1 // IOCB_FLAG_IOPRIO: reqprio is an I/O priority (4.18)
)

// rawIOCB mirrors struct iocb. Which of keyAndFlags is aio_key and which aio_rw_flags depends on the byte order.
type rawIOCB struct {
	data        uint64
	keyAndFlags [2]uint32
	opcode      opcode
	reqprio     int16
	fd          uint32
	buf         uint64
	nbytes      uint64
	offset      int64
	reserved    uint64 // 0
	flags       uint32
	resfd       uint32
}

// rwFlags returns aio_rw_flags.
func (r *rawIOCB) rwFlags() *uint32 {
	if cpu.IsBigEndian {
		return &r.keyAndFlags[0]
	}
	return &r.keyAndFlags[1]
}

// rawEvent mirrors struct io_event.
type rawEvent struct {
	data uint64
	obj  uint64 // the address of the IOCB
	res  int64
	res2 int64
}

// iovec mirrors struct iovec.
type iovec struct {
	base uintptr
	len  uintptr
}

// ringHeader mirrors the start of struct aio_ring of fs/aio.c, which the kernel maps at the context's address.
type ringHeader struct {
	id           uint32
	nr           uint32 // how many events there is room for
	head         uint32 // the next to read, written by whoever reads
	tail         uint32 // where the kernel will write the next
	magic        uint32
	compat       uint32
	incompat     uint32
	headerLength uint32
	// The events follow.
}

const (
	ringMagic  = 0xa10a10a1
	ringCompat = 1
)

// The kernel's layouts.
var (
	_ [64]byte = [unsafe.Sizeof(rawIOCB{})]byte{}
	_ [32]byte = [unsafe.Sizeof(rawEvent{})]byte{}
	_ [32]byte = [unsafe.Sizeof(ringHeader{})]byte{}
)
