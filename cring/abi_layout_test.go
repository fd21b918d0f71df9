//go:build linux && cgo

package cring_test

import "github.com/sockring/uring/cring"

// fields gives the exported fields of a Go mirror their names in C.
type fields map[string]string

// reserved is a field that headers name and size differently from version to version. The size of its struct and the
// offsets of its neighbours still hold it in place.
const reserved = ""

// mirrors are all structs of types*.go.
var mirrors = []struct {
	c      string
	mirror any
	fields fields
}{
	{"io_uring_sqe", cring.SQE{}, fields{
		"Opcode": "opcode", "Flags": "flags", "IOPrio": "ioprio", "Fd": "fd", "Off": "off", "Addr": "addr",
		"Len": "len", "OpFlags": "rw_flags", "UserData": "user_data", "BufIndex": "buf_index",
		"Personality": "personality", "FileIndex": "file_index", "Addr3": "addr3", "Pad2": "__pad2",
	}},
	{"io_uring_cqe", cring.CQE{}, fields{
		"UserData": "user_data", "Res": "res", "Flags": "flags",
	}},
	{"io_uring_buf", cring.Buf{}, fields{
		"Addr": "addr", "Len": "len", "Bid": "bid", "Resv": "resv",
	}},
	{"__kernel_timespec", cring.Timespec{}, fields{
		"Sec": "tv_sec", "Nsec": "tv_nsec",
	}},
	{"iovec", cring.Iovec{}, fields{
		"Base": "iov_base", "Len": "iov_len",
	}},
	{"msghdr", cring.Msghdr{}, fields{
		"Name": "msg_name", "Namelen": "msg_namelen", "Iov": "msg_iov", "Iovlen": "msg_iovlen",
		"Control": "msg_control", "Controllen": "msg_controllen", "Flags": "msg_flags",
	}},
	{"io_uring_params", cring.Params{}, fields{
		"SQEntries": "sq_entries", "CQEntries": "cq_entries", "Flags": "flags",
		"SQThreadCPU": "sq_thread_cpu", "SQThreadIdle": "sq_thread_idle", "Features": "features",
		"WQFd": "wq_fd", "Resv": "resv", "SQOff": "sq_off", "CQOff": "cq_off",
	}},
	{"io_sqring_offsets", cring.SQRingOffsets{}, fields{
		"Head": "head", "Tail": "tail", "RingMask": "ring_mask", "RingEntries": "ring_entries",
		"Flags": "flags", "Dropped": "dropped", "Array": "array", "Resv1": "resv1",
		"UserAddr": "user_addr",
	}},
	{"io_cqring_offsets", cring.CQRingOffsets{}, fields{
		"Head": "head", "Tail": "tail", "RingMask": "ring_mask", "RingEntries": "ring_entries",
		"Overflow": "overflow", "CQEs": "cqes", "Flags": "flags", "Resv1": "resv1",
		"UserAddr": "user_addr",
	}},
	{"io_uring_getevents_arg", cring.GetEventsArg{}, fields{
		"Sigmask": "sigmask", "SigmaskSz": "sigmask_sz", "MinWaitUsec": "min_wait_usec", "TS": "ts",
	}},
	{"io_uring_reg_wait", cring.RegWait{}, fields{
		"TS": "ts", "MinWaitUsec": "min_wait_usec", "Flags": "flags", "Sigmask": "sigmask",
		"SigmaskSz": "sigmask_sz", "Pad": "pad", "Pad2": "pad2",
	}},
	{"io_uring_buf_reg", cring.BufReg{}, fields{
		"RingAddr": "ring_addr", "RingEntries": "ring_entries", "Bgid": "bgid", "Flags": "flags",
		"MinLeft": "min_left", "Resv": reserved,
	}},
	{"io_uring_buf_status", cring.BufStatus{}, fields{
		"BufGroup": "buf_group", "Head": "head", "Resv": "resv",
	}},
	{"io_uring_restriction", cring.Restriction{}, fields{
		"Opcode": "opcode", "Arg": "register_op", "Resv": "resv", "Resv2": "resv2",
	}},
	{"io_uring_files_update", cring.FilesUpdate{}, fields{
		"Offset": "offset", "Resv": "resv", "Fds": "fds",
	}},
	{"io_uring_rsrc_register", cring.RsrcRegister{}, fields{
		"Nr": "nr", "Flags": "flags", "Resv2": "resv2", "Data": "data", "Tags": "tags",
	}},
	{"io_uring_rsrc_update2", cring.RsrcUpdate2{}, fields{
		"Offset": "offset", "Resv": "resv", "Data": "data", "Tags": "tags", "Nr": "nr", "Resv2": "resv2",
	}},
	{"io_uring_probe_op", cring.ProbeOp{}, fields{
		"Op": "op", "Resv": "resv", "Flags": "flags", "Resv2": "resv2",
	}},
	{"io_uring_probe", cring.Probe{}, fields{
		"LastOp": "last_op", "OpsLen": "ops_len", "Resv": "resv", "Resv2": "resv2", "Ops": "ops",
	}},
	{"io_uring_napi", cring.NapiConf{}, fields{
		"BusyPollTo": "busy_poll_to", "PreferBusyPoll": "prefer_busy_poll", "Pad": "pad", "Resv": "resv",
	}},
	{"io_uring_sync_cancel_reg", cring.SyncCancelReg{}, fields{
		"Addr": "addr", "Fd": "fd", "Flags": "flags", "Timeout": "timeout", "Opcode": "opcode",
		"Pad": reserved, "Pad2": reserved,
	}},
	{"io_uring_file_index_range", cring.FileIndexRange{}, fields{
		"Off": "off", "Len": "len", "Resv": "resv",
	}},
	{"io_uring_clock_register", cring.ClockRegister{}, fields{
		"Clockid": "clockid", "Resv": "__resv",
	}},
	{"io_uring_clone_buffers", cring.CloneBuffers{}, fields{
		"SrcFd": "src_fd", "Flags": "flags", "SrcOff": "src_off", "DstOff": "dst_off", "Nr": "nr",
		"Pad": "pad",
	}},
	{"io_uring_region_desc", cring.RegionDesc{}, fields{
		"UserAddr": "user_addr", "Size": "size", "Flags": "flags", "ID": "id", "MmapOffset": "mmap_offset",
		"Resv": "__resv",
	}},
	{"io_uring_mem_region_reg", cring.MemRegionReg{}, fields{
		"RegionUptr": "region_uptr", "Flags": "flags", "Resv": "__resv",
	}},
	{"io_uring_recvmsg_out", cring.RecvmsgOut{}, fields{
		"Namelen": "namelen", "Controllen": "controllen", "Payloadlen": "payloadlen", "Flags": "flags",
	}},
	{"open_how", cring.OpenHow{}, fields{
		"Flags": "flags", "Mode": "mode", "Resolve": "resolve",
	}},
	{"futex_waitv", cring.FutexWaitv{}, fields{
		"Val": "val", "Uaddr": "uaddr", "Flags": "flags", "Reserved": "__reserved",
	}},
	{"statx_timestamp", cring.StatxTimestamp{}, fields{
		"Sec": "tv_sec", "Nsec": "tv_nsec",
	}},
	{"statx", cring.Statx{}, fields{
		"Mask": "stx_mask", "Blksize": "stx_blksize", "Attributes": "stx_attributes", "Nlink": "stx_nlink",
		"Uid": "stx_uid", "Gid": "stx_gid", "Mode": "stx_mode", "Ino": "stx_ino", "Size": "stx_size",
		"Blocks": "stx_blocks", "AttributesMask": "stx_attributes_mask", "Atime": "stx_atime",
		"Btime": "stx_btime", "Ctime": "stx_ctime", "Mtime": "stx_mtime", "RdevMajor": "stx_rdev_major",
		"RdevMinor": "stx_rdev_minor", "DevMajor": "stx_dev_major", "DevMinor": "stx_dev_minor",
		"MntID": "stx_mnt_id", "DioMemAlign": "stx_dio_mem_align",
		"DioOffsetAlign": "stx_dio_offset_align",
	}},
	{"epoll_event", cring.EpollEvent{}, fields{
		"Events": "events", "Data": "data",
	}},
	{"siginfo_t", cring.Siginfo{}, fields{
		"Signo": "si_signo", "Errno": "si_errno", "Code": "si_code", "Pid": "si_pid", "Uid": "si_uid",
		"Status": "si_status",
	}},
}
