package cring

// BufReg mirrors struct io_uring_buf_reg, the argument of RegisterPbufRing and UnregisterPbufRing.
type BufReg struct {
	RingAddr    uint64
	RingEntries uint32
	Bgid        uint16
	Flags       uint16
	MinLeft     uint32 // reserved before liburing 2.15
	Resv        [5]uint32
}

// BufStatus mirrors struct io_uring_buf_status, the argument of RegisterPbufStatus.
type BufStatus struct {
	BufGroup uint32
	Head     uint32
	Resv     [8]uint32
}

// Restriction mirrors struct io_uring_restriction, an element of the argument of RegisterRestrictions.
type Restriction struct {
	Opcode uint16
	Arg    uint8 // register_op | sqe_op | sqe_flags
	Resv   uint8
	Resv2  [3]uint32
}

// FilesUpdate mirrors struct io_uring_files_update, the argument of RegisterFilesUpdate.
type FilesUpdate struct {
	Offset uint32
	Resv   uint32
	Fds    uint64
}

// RsrcRegister mirrors struct io_uring_rsrc_register, the argument of RegisterFiles2 and RegisterBuffers2.
type RsrcRegister struct {
	Nr    uint32
	Flags uint32
	Resv2 uint64
	Data  uint64
	Tags  uint64
}

// RsrcUpdate2 mirrors struct io_uring_rsrc_update2, the argument of RegisterFilesUpdate2 and RegisterBuffersUpdate.
type RsrcUpdate2 struct {
	Offset uint32
	Resv   uint32
	Data   uint64
	Tags   uint64
	Nr     uint32
	Resv2  uint32
}

// ProbeOp mirrors struct io_uring_probe_op.
type ProbeOp struct {
	Op    uint8
	Resv  uint8
	Flags uint16
	Resv2 uint32
}

// Probe mirrors struct io_uring_probe with room for every opcode there can be.
type Probe struct {
	LastOp uint8
	OpsLen uint8
	Resv   uint16
	Resv2  [3]uint32
	Ops    [256]ProbeOp
}

// NapiConf mirrors struct io_uring_napi, the argument of RegisterNAPI and UnregisterNAPI.
type NapiConf struct {
	BusyPollTo     uint32 // microseconds
	PreferBusyPoll uint8
	Pad            [3]uint8
	Resv           uint64
}

// SyncCancelReg mirrors struct io_uring_sync_cancel_reg, the argument of RegisterSyncCancel.
type SyncCancelReg struct {
	Addr    uint64
	Fd      int32
	Flags   uint32
	Timeout Timespec
	Opcode  uint8 // padding before 6.6
	Pad     [7]uint8
	Pad2    [3]uint64
}

// FileIndexRange mirrors struct io_uring_file_index_range, the argument of RegisterFileAllocRange.
type FileIndexRange struct {
	Off  uint32
	Len  uint32
	Resv uint64
}

// ClockRegister mirrors struct io_uring_clock_register, the argument of RegisterClock.
type ClockRegister struct {
	Clockid uint32
	Resv    [3]uint32
}

// CloneBuffers mirrors struct io_uring_clone_buffers, the argument of RegisterCloneBuffers.
type CloneBuffers struct {
	SrcFd  uint32
	Flags  uint32
	SrcOff uint32
	DstOff uint32
	Nr     uint32
	Pad    [3]uint32
}

// RegionDesc mirrors struct io_uring_region_desc.
type RegionDesc struct {
	UserAddr   uint64
	Size       uint64
	Flags      uint32
	ID         uint32
	MmapOffset uint64
	Resv       [4]uint64
}

// MemRegionReg mirrors struct io_uring_mem_region_reg, the argument of RegisterMemRegion.
type MemRegionReg struct {
	RegionUptr uint64
	Flags      uint64
	Resv       [2]uint64
}
