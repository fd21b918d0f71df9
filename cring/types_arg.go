package cring

// RecvmsgOut mirrors struct io_uring_recvmsg_out, which a multishot recvmsg writes at the start of each buffer.
type RecvmsgOut struct {
	Namelen    uint32
	Controllen uint32
	Payloadlen uint32
	Flags      uint32
}

// OpenHow mirrors struct open_how of openat2(2).
type OpenHow struct {
	Flags   uint64 // O_*
	Mode    uint64 // only with O_CREAT or O_TMPFILE
	Resolve uint64 // RESOLVE_*
}

// FutexWaitv mirrors struct futex_waitv of futex_waitv(2).
type FutexWaitv struct {
	Val      uint64 // the value expected
	Uaddr    uint64 // the address of the word
	Flags    uint32 // Futex2SizeU32, Futex2Private
	Reserved uint32
}

// StatxTimestamp mirrors struct statx_timestamp.
type StatxTimestamp struct {
	Sec  int64
	Nsec uint32
	_    int32
}

// Statx mirrors struct statx of statx(2).
type Statx struct {
	Mask           uint32
	Blksize        uint32
	Attributes     uint64
	Nlink          uint32
	Uid            uint32
	Gid            uint32
	Mode           uint16
	_              uint16
	Ino            uint64
	Size           uint64
	Blocks         uint64
	AttributesMask uint64
	Atime          StatxTimestamp
	Btime          StatxTimestamp
	Ctime          StatxTimestamp
	Mtime          StatxTimestamp
	RdevMajor      uint32
	RdevMinor      uint32
	DevMajor       uint32
	DevMinor       uint32
	MntID          uint64
	DioMemAlign    uint32
	DioOffsetAlign uint32
	_              [12]uint64 // fields of later kernels
}

// Siginfo mirrors siginfo_t of 64-bit Linux as waitid(2) fills it.
type Siginfo struct {
	Signo  int32
	Errno  int32
	Code   int32
	_      int32
	Pid    int32
	Uid    uint32
	Status int32
	_      [100]byte
}
