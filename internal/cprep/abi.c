//go:build linux && cgo

#include "cprep.h"

#include "polyfill.h"

#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define CONSTANT(name) { #name, (int64_t)(name) }
#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static const struct cprep_value constants[] = {
	CONSTANT(IOSQE_FIXED_FILE),
	CONSTANT(IOSQE_IO_DRAIN),
	CONSTANT(IOSQE_IO_LINK),
	CONSTANT(IOSQE_IO_HARDLINK),
	CONSTANT(IOSQE_ASYNC),
	CONSTANT(IOSQE_BUFFER_SELECT),
	CONSTANT(IOSQE_CQE_SKIP_SUCCESS),
	CONSTANT(IORING_FILE_INDEX_ALLOC),
	CONSTANT(IORING_CQE_F_BUFFER),
	CONSTANT(IORING_CQE_F_MORE),
	CONSTANT(IORING_CQE_F_SOCK_NONEMPTY),
	CONSTANT(IORING_CQE_F_NOTIF),
	CONSTANT(IORING_CQE_F_BUF_MORE),
	CONSTANT(IORING_CQE_F_SKIP),
	CONSTANT(IORING_CQE_F_32),
	CONSTANT(IORING_CQE_F_TSTAMP_HW),
	CONSTANT(IORING_CQE_BUFFER_SHIFT),
	CONSTANT(IORING_TIMESTAMP_HW_SHIFT),
	CONSTANT(IORING_TIMESTAMP_TYPE_SHIFT),
	CONSTANT(LIBURING_UDATA_TIMEOUT),
	CONSTANT(IORING_RECVSEND_POLL_FIRST),
	CONSTANT(IORING_RECV_MULTISHOT),
	CONSTANT(IORING_RECVSEND_FIXED_BUF),
	CONSTANT(IORING_SEND_ZC_REPORT_USAGE),
	CONSTANT(IORING_RECVSEND_BUNDLE),
	CONSTANT(IORING_SEND_VECTORIZED),
	CONSTANT(IORING_NOTIF_USAGE_ZC_COPIED),
	CONSTANT(IORING_ACCEPT_MULTISHOT),
	CONSTANT(IORING_ACCEPT_DONTWAIT),
	CONSTANT(IORING_ACCEPT_POLL_FIRST),
	CONSTANT(IORING_POLL_ADD_MULTI),
	CONSTANT(IORING_POLL_UPDATE_EVENTS),
	CONSTANT(IORING_POLL_UPDATE_USER_DATA),
	CONSTANT(IORING_POLL_ADD_LEVEL),
	CONSTANT(IORING_ASYNC_CANCEL_ALL),
	CONSTANT(IORING_ASYNC_CANCEL_FD),
	CONSTANT(IORING_ASYNC_CANCEL_ANY),
	CONSTANT(IORING_ASYNC_CANCEL_FD_FIXED),
	CONSTANT(IORING_ASYNC_CANCEL_USERDATA),
	CONSTANT(IORING_ASYNC_CANCEL_OP),
	CONSTANT(IORING_TIMEOUT_ABS),
	CONSTANT(IORING_TIMEOUT_UPDATE),
	CONSTANT(IORING_TIMEOUT_BOOTTIME),
	CONSTANT(IORING_TIMEOUT_REALTIME),
	CONSTANT(IORING_LINK_TIMEOUT_UPDATE),
	CONSTANT(IORING_TIMEOUT_ETIME_SUCCESS),
	CONSTANT(IORING_TIMEOUT_MULTISHOT),
	CONSTANT(IORING_TIMEOUT_IMMEDIATE_ARG),
	CONSTANT(IORING_TIMEOUT_CLOCK_MASK),
	CONSTANT(IORING_TIMEOUT_UPDATE_MASK),
	CONSTANT(IORING_MSG_DATA),
	CONSTANT(IORING_MSG_SEND_FD),
	CONSTANT(IORING_MSG_RING_CQE_SKIP),
	CONSTANT(IORING_MSG_RING_FLAGS_PASS),
	CONSTANT(SOCKET_URING_OP_SIOCINQ),
	CONSTANT(SOCKET_URING_OP_SIOCOUTQ),
	CONSTANT(SOCKET_URING_OP_GETSOCKOPT),
	CONSTANT(SOCKET_URING_OP_SETSOCKOPT),
	CONSTANT(SOCKET_URING_OP_TX_TIMESTAMP),
	CONSTANT(SOCKET_URING_OP_GETSOCKNAME),
	CONSTANT(IORING_FSYNC_DATASYNC),
	CONSTANT(SPLICE_F_FD_IN_FIXED),
	CONSTANT(IORING_URING_CMD_FIXED),
	CONSTANT(IORING_URING_CMD_MASK),
	CONSTANT(IORING_FIXED_FD_NO_CLOEXEC),
	CONSTANT(IORING_NOP_INJECT_RESULT),
	CONSTANT(IORING_NOP_CQE32),
	CONSTANT(IORING_RW_ATTR_FLAG_PI),
	CONSTANT(FUTEX2_SIZE_U32),
	CONSTANT(FUTEX2_PRIVATE),
	CONSTANT(FUTEX_BITSET_MATCH_ANY),
	CONSTANT(FUTEX_WAITV_MAX),
	CONSTANT(IORING_SETUP_IOPOLL),
	CONSTANT(IORING_SETUP_SQPOLL),
	CONSTANT(IORING_SETUP_SQ_AFF),
	CONSTANT(IORING_SETUP_CQSIZE),
	CONSTANT(IORING_SETUP_CLAMP),
	CONSTANT(IORING_SETUP_ATTACH_WQ),
	CONSTANT(IORING_SETUP_R_DISABLED),
	CONSTANT(IORING_SETUP_SUBMIT_ALL),
	CONSTANT(IORING_SETUP_COOP_TASKRUN),
	CONSTANT(IORING_SETUP_TASKRUN_FLAG),
	CONSTANT(IORING_SETUP_SQE128),
	CONSTANT(IORING_SETUP_CQE32),
	CONSTANT(IORING_SETUP_SINGLE_ISSUER),
	CONSTANT(IORING_SETUP_DEFER_TASKRUN),
	CONSTANT(IORING_SETUP_NO_MMAP),
	CONSTANT(IORING_SETUP_REGISTERED_FD_ONLY),
	CONSTANT(IORING_SETUP_NO_SQARRAY),
	CONSTANT(IORING_SETUP_HYBRID_IOPOLL),
	CONSTANT(IORING_SETUP_CQE_MIXED),
	CONSTANT(IORING_SETUP_SQE_MIXED),
	CONSTANT(IORING_SETUP_SQ_REWIND),
	CONSTANT(IORING_FEAT_SINGLE_MMAP),
	CONSTANT(IORING_FEAT_NODROP),
	CONSTANT(IORING_FEAT_SUBMIT_STABLE),
	CONSTANT(IORING_FEAT_RW_CUR_POS),
	CONSTANT(IORING_FEAT_CUR_PERSONALITY),
	CONSTANT(IORING_FEAT_FAST_POLL),
	CONSTANT(IORING_FEAT_POLL_32BITS),
	CONSTANT(IORING_FEAT_SQPOLL_NONFIXED),
	CONSTANT(IORING_FEAT_EXT_ARG),
	CONSTANT(IORING_FEAT_NATIVE_WORKERS),
	CONSTANT(IORING_FEAT_RSRC_TAGS),
	CONSTANT(IORING_FEAT_CQE_SKIP),
	CONSTANT(IORING_FEAT_LINKED_FILE),
	CONSTANT(IORING_FEAT_REG_REG_RING),
	CONSTANT(IORING_FEAT_RECVSEND_BUNDLE),
	CONSTANT(IORING_FEAT_MIN_TIMEOUT),
	CONSTANT(IORING_FEAT_RW_ATTR),
	CONSTANT(IORING_FEAT_NO_IOWAIT),
	CONSTANT(IORING_ENTER_GETEVENTS),
	CONSTANT(IORING_ENTER_SQ_WAKEUP),
	CONSTANT(IORING_ENTER_SQ_WAIT),
	CONSTANT(IORING_ENTER_EXT_ARG),
	CONSTANT(IORING_ENTER_REGISTERED_RING),
	CONSTANT(IORING_ENTER_ABS_TIMER),
	CONSTANT(IORING_ENTER_EXT_ARG_REG),
	CONSTANT(IORING_ENTER_NO_IOWAIT),
	CONSTANT(IORING_REG_WAIT_TS),
	CONSTANT(IORING_SQ_NEED_WAKEUP),
	CONSTANT(IORING_SQ_CQ_OVERFLOW),
	CONSTANT(IORING_SQ_TASKRUN),
	CONSTANT(IORING_CQ_EVENTFD_DISABLED),
	CONSTANT(IORING_OFF_SQ_RING),
	CONSTANT(IORING_OFF_CQ_RING),
	CONSTANT(IORING_OFF_SQES),
	CONSTANT(IORING_OFF_PBUF_RING),
	CONSTANT(IORING_OFF_PBUF_SHIFT),
	CONSTANT(IORING_OFF_MMAP_MASK),
	CONSTANT(IORING_REGISTER_BUFFERS),
	CONSTANT(IORING_UNREGISTER_BUFFERS),
	CONSTANT(IORING_REGISTER_FILES),
	CONSTANT(IORING_UNREGISTER_FILES),
	CONSTANT(IORING_REGISTER_EVENTFD),
	CONSTANT(IORING_UNREGISTER_EVENTFD),
	CONSTANT(IORING_REGISTER_FILES_UPDATE),
	CONSTANT(IORING_REGISTER_EVENTFD_ASYNC),
	CONSTANT(IORING_REGISTER_PROBE),
	CONSTANT(IORING_REGISTER_PERSONALITY),
	CONSTANT(IORING_UNREGISTER_PERSONALITY),
	CONSTANT(IORING_REGISTER_RESTRICTIONS),
	CONSTANT(IORING_REGISTER_ENABLE_RINGS),
	CONSTANT(IORING_REGISTER_FILES2),
	CONSTANT(IORING_REGISTER_FILES_UPDATE2),
	CONSTANT(IORING_REGISTER_BUFFERS2),
	CONSTANT(IORING_REGISTER_BUFFERS_UPDATE),
	CONSTANT(IORING_REGISTER_IOWQ_AFF),
	CONSTANT(IORING_UNREGISTER_IOWQ_AFF),
	CONSTANT(IORING_REGISTER_IOWQ_MAX_WORKERS),
	CONSTANT(IORING_REGISTER_RING_FDS),
	CONSTANT(IORING_UNREGISTER_RING_FDS),
	CONSTANT(IORING_REGISTER_PBUF_RING),
	CONSTANT(IORING_UNREGISTER_PBUF_RING),
	CONSTANT(IORING_REGISTER_SYNC_CANCEL),
	CONSTANT(IORING_REGISTER_FILE_ALLOC_RANGE),
	CONSTANT(IORING_REGISTER_PBUF_STATUS),
	CONSTANT(IORING_REGISTER_NAPI),
	CONSTANT(IORING_UNREGISTER_NAPI),
	CONSTANT(IORING_REGISTER_CLOCK),
	CONSTANT(IORING_REGISTER_CLONE_BUFFERS),
	CONSTANT(IORING_REGISTER_SEND_MSG_RING),
	CONSTANT(IORING_REGISTER_ZCRX_IFQ),
	CONSTANT(IORING_REGISTER_RESIZE_RINGS),
	CONSTANT(IORING_REGISTER_MEM_REGION),
	CONSTANT(IORING_REGISTER_QUERY),
	CONSTANT(IORING_REGISTER_ZCRX_CTRL),
	CONSTANT(IORING_REGISTER_BPF_FILTER),
	CONSTANT(IORING_REGISTER_LAST),
	CONSTANT(IORING_REGISTER_USE_REGISTERED_RING),
	CONSTANT(IORING_RSRC_REGISTER_SPARSE),
	CONSTANT(IORING_REGISTER_FILES_SKIP),
	CONSTANT(IORING_REGISTER_SRC_REGISTERED),
	CONSTANT(IORING_REGISTER_DST_REPLACE),
	CONSTANT(IO_URING_OP_SUPPORTED),
	CONSTANT(IOU_PBUF_RING_MMAP),
	CONSTANT(IOU_PBUF_RING_INC),
	CONSTANT(IORING_RESTRICTION_REGISTER_OP),
	CONSTANT(IORING_RESTRICTION_SQE_OP),
	CONSTANT(IORING_RESTRICTION_SQE_FLAGS_ALLOWED),
	CONSTANT(IORING_RESTRICTION_SQE_FLAGS_REQUIRED),
	CONSTANT(IORING_RESTRICTION_LAST),
	CONSTANT(IO_WQ_BOUND),
	CONSTANT(IO_WQ_UNBOUND),
	CONSTANT(IORING_MEM_REGION_TYPE_USER),
	CONSTANT(IORING_MEM_REGION_REG_WAIT_ARG),
};

#define SIZE(type) { #type, sizeof(struct type) }
#define FIELD(type, field) { #type "." #field, offsetof(struct type, field) }
/* FIELD_AS is a field that this header still knows under an older name. */
#define FIELD_AS(type, field, older) { #type "." #field, offsetof(struct type, older) }

#if SOCKRING_LIBURING < 204
#define PBUF_FLAGS FIELD_AS(io_uring_buf_reg, flags, pad)
#else
#define PBUF_FLAGS FIELD(io_uring_buf_reg, flags)
#endif

#if SOCKRING_LIBURING < 205
#define SQ_USER_ADDR FIELD_AS(io_sqring_offsets, user_addr, resv2)
#define CQ_USER_ADDR FIELD_AS(io_cqring_offsets, user_addr, resv2)
#else
#define SQ_USER_ADDR FIELD(io_sqring_offsets, user_addr)
#define CQ_USER_ADDR FIELD(io_cqring_offsets, user_addr)
#endif

#if SOCKRING_LIBURING < 208
#define MIN_WAIT FIELD_AS(io_uring_getevents_arg, min_wait_usec, pad)
#define CANCEL_OPCODE FIELD_AS(io_uring_sync_cancel_reg, opcode, pad)
#else
#define MIN_WAIT FIELD(io_uring_getevents_arg, min_wait_usec)
#define CANCEL_OPCODE FIELD(io_uring_sync_cancel_reg, opcode)
#endif

#if SOCKRING_LIBURING < 215
#define MIN_LEFT FIELD_AS(io_uring_buf_reg, min_left, resv)
#else
#define MIN_LEFT FIELD(io_uring_buf_reg, min_left)
#endif

static const struct cprep_value layout[] = {
	SIZE(io_uring_sqe), FIELD(io_uring_sqe, opcode), FIELD(io_uring_sqe, flags), FIELD(io_uring_sqe, ioprio),
	FIELD(io_uring_sqe, fd), FIELD(io_uring_sqe, off), FIELD(io_uring_sqe, addr), FIELD(io_uring_sqe, len),
	FIELD(io_uring_sqe, rw_flags), FIELD(io_uring_sqe, user_data), FIELD(io_uring_sqe, buf_index),
	FIELD(io_uring_sqe, personality), FIELD(io_uring_sqe, file_index), FIELD(io_uring_sqe, addr3),
	FIELD(io_uring_sqe, __pad2),
	SIZE(io_uring_cqe), FIELD(io_uring_cqe, user_data), FIELD(io_uring_cqe, res), FIELD(io_uring_cqe, flags),
	SIZE(io_uring_buf), FIELD(io_uring_buf, addr), FIELD(io_uring_buf, len), FIELD(io_uring_buf, bid),
	FIELD(io_uring_buf, resv),
	SIZE(__kernel_timespec), FIELD(__kernel_timespec, tv_sec), FIELD(__kernel_timespec, tv_nsec),
	SIZE(iovec), FIELD(iovec, iov_base), FIELD(iovec, iov_len),
	SIZE(msghdr), FIELD(msghdr, msg_name), FIELD(msghdr, msg_namelen), FIELD(msghdr, msg_iov),
	FIELD(msghdr, msg_iovlen), FIELD(msghdr, msg_control), FIELD(msghdr, msg_controllen),
	FIELD(msghdr, msg_flags),
	SIZE(io_uring_params), FIELD(io_uring_params, sq_entries), FIELD(io_uring_params, cq_entries),
	FIELD(io_uring_params, flags), FIELD(io_uring_params, sq_thread_cpu),
	FIELD(io_uring_params, sq_thread_idle), FIELD(io_uring_params, features), FIELD(io_uring_params, wq_fd),
	FIELD(io_uring_params, resv), FIELD(io_uring_params, sq_off), FIELD(io_uring_params, cq_off),
	SIZE(io_sqring_offsets), FIELD(io_sqring_offsets, head), FIELD(io_sqring_offsets, tail),
	FIELD(io_sqring_offsets, ring_mask), FIELD(io_sqring_offsets, ring_entries),
	FIELD(io_sqring_offsets, flags), FIELD(io_sqring_offsets, dropped), FIELD(io_sqring_offsets, array),
	FIELD(io_sqring_offsets, resv1), SQ_USER_ADDR,
	SIZE(io_cqring_offsets), FIELD(io_cqring_offsets, head), FIELD(io_cqring_offsets, tail),
	FIELD(io_cqring_offsets, ring_mask), FIELD(io_cqring_offsets, ring_entries),
	FIELD(io_cqring_offsets, overflow), FIELD(io_cqring_offsets, cqes), FIELD(io_cqring_offsets, flags),
	FIELD(io_cqring_offsets, resv1), CQ_USER_ADDR,
	SIZE(io_uring_getevents_arg), FIELD(io_uring_getevents_arg, sigmask),
	FIELD(io_uring_getevents_arg, sigmask_sz), MIN_WAIT, FIELD(io_uring_getevents_arg, ts),
	SIZE(io_uring_reg_wait), FIELD(io_uring_reg_wait, ts), FIELD(io_uring_reg_wait, min_wait_usec),
	FIELD(io_uring_reg_wait, flags), FIELD(io_uring_reg_wait, sigmask), FIELD(io_uring_reg_wait, sigmask_sz),
	FIELD(io_uring_reg_wait, pad), FIELD(io_uring_reg_wait, pad2),
	SIZE(io_uring_buf_reg), FIELD(io_uring_buf_reg, ring_addr), FIELD(io_uring_buf_reg, ring_entries),
	FIELD(io_uring_buf_reg, bgid), PBUF_FLAGS, MIN_LEFT,
	SIZE(io_uring_buf_status), FIELD(io_uring_buf_status, buf_group), FIELD(io_uring_buf_status, head),
	FIELD(io_uring_buf_status, resv),
	SIZE(io_uring_restriction), FIELD(io_uring_restriction, opcode), FIELD(io_uring_restriction, register_op),
	FIELD(io_uring_restriction, resv), FIELD(io_uring_restriction, resv2),
	SIZE(io_uring_files_update), FIELD(io_uring_files_update, offset), FIELD(io_uring_files_update, resv),
	FIELD(io_uring_files_update, fds),
	SIZE(io_uring_rsrc_register), FIELD(io_uring_rsrc_register, nr), FIELD(io_uring_rsrc_register, flags),
	FIELD(io_uring_rsrc_register, resv2), FIELD(io_uring_rsrc_register, data),
	FIELD(io_uring_rsrc_register, tags),
	SIZE(io_uring_rsrc_update2), FIELD(io_uring_rsrc_update2, offset), FIELD(io_uring_rsrc_update2, resv),
	FIELD(io_uring_rsrc_update2, data), FIELD(io_uring_rsrc_update2, tags), FIELD(io_uring_rsrc_update2, nr),
	FIELD(io_uring_rsrc_update2, resv2),
	SIZE(io_uring_probe_op), FIELD(io_uring_probe_op, op), FIELD(io_uring_probe_op, resv),
	FIELD(io_uring_probe_op, flags), FIELD(io_uring_probe_op, resv2),
	SIZE(io_uring_probe), FIELD(io_uring_probe, last_op), FIELD(io_uring_probe, ops_len),
	FIELD(io_uring_probe, resv), FIELD(io_uring_probe, resv2), FIELD(io_uring_probe, ops),
	SIZE(io_uring_napi), FIELD(io_uring_napi, busy_poll_to), FIELD(io_uring_napi, prefer_busy_poll),
	FIELD(io_uring_napi, pad), FIELD(io_uring_napi, resv),
	SIZE(io_uring_sync_cancel_reg), FIELD(io_uring_sync_cancel_reg, addr), FIELD(io_uring_sync_cancel_reg, fd),
	FIELD(io_uring_sync_cancel_reg, flags), FIELD(io_uring_sync_cancel_reg, timeout), CANCEL_OPCODE,
	SIZE(io_uring_file_index_range), FIELD(io_uring_file_index_range, off),
	FIELD(io_uring_file_index_range, len), FIELD(io_uring_file_index_range, resv),
	SIZE(io_uring_clock_register), FIELD(io_uring_clock_register, clockid),
	FIELD(io_uring_clock_register, __resv),
	SIZE(io_uring_clone_buffers), FIELD(io_uring_clone_buffers, src_fd), FIELD(io_uring_clone_buffers, flags),
#if SOCKRING_LIBURING != 208 /* which has the size right and leaves these unnamed */
	FIELD(io_uring_clone_buffers, src_off), FIELD(io_uring_clone_buffers, dst_off),
	FIELD(io_uring_clone_buffers, nr), FIELD(io_uring_clone_buffers, pad),
#endif
	SIZE(io_uring_region_desc), FIELD(io_uring_region_desc, user_addr), FIELD(io_uring_region_desc, size),
	FIELD(io_uring_region_desc, flags), FIELD(io_uring_region_desc, id),
	FIELD(io_uring_region_desc, mmap_offset), FIELD(io_uring_region_desc, __resv),
	SIZE(io_uring_mem_region_reg), FIELD(io_uring_mem_region_reg, region_uptr),
	FIELD(io_uring_mem_region_reg, flags), FIELD(io_uring_mem_region_reg, __resv),
	SIZE(io_uring_recvmsg_out), FIELD(io_uring_recvmsg_out, namelen), FIELD(io_uring_recvmsg_out, controllen),
	FIELD(io_uring_recvmsg_out, payloadlen), FIELD(io_uring_recvmsg_out, flags),
	SIZE(open_how), FIELD(open_how, flags), FIELD(open_how, mode), FIELD(open_how, resolve),
	SIZE(futex_waitv), FIELD(futex_waitv, val), FIELD(futex_waitv, uaddr), FIELD(futex_waitv, flags),
	FIELD(futex_waitv, __reserved),
	SIZE(statx_timestamp), FIELD(statx_timestamp, tv_sec), FIELD(statx_timestamp, tv_nsec),
	SIZE(statx), FIELD(statx, stx_mask), FIELD(statx, stx_blksize), FIELD(statx, stx_attributes),
	FIELD(statx, stx_nlink), FIELD(statx, stx_uid), FIELD(statx, stx_gid), FIELD(statx, stx_mode),
	FIELD(statx, stx_ino), FIELD(statx, stx_size), FIELD(statx, stx_blocks), FIELD(statx, stx_attributes_mask),
	FIELD(statx, stx_atime), FIELD(statx, stx_btime), FIELD(statx, stx_ctime), FIELD(statx, stx_mtime),
	FIELD(statx, stx_rdev_major), FIELD(statx, stx_rdev_minor), FIELD(statx, stx_dev_major),
	FIELD(statx, stx_dev_minor), FIELD(statx, stx_mnt_id), FIELD(statx, stx_dio_mem_align),
	FIELD(statx, stx_dio_offset_align),
	SIZE(epoll_event), FIELD(epoll_event, events), FIELD(epoll_event, data),
	{ "siginfo_t", sizeof(siginfo_t) },
	{ "siginfo_t.si_signo", offsetof(siginfo_t, si_signo) },
	{ "siginfo_t.si_errno", offsetof(siginfo_t, si_errno) },
	{ "siginfo_t.si_code", offsetof(siginfo_t, si_code) },
	{ "siginfo_t.si_pid", offsetof(siginfo_t, si_pid) },
	{ "siginfo_t.si_uid", offsetof(siginfo_t, si_uid) },
	{ "siginfo_t.si_status", offsetof(siginfo_t, si_status) },
};

const struct cprep_value *cprep_constants(size_t *len)
{
	*len = LEN(constants);
	return constants;
}

const struct cprep_value *cprep_layout(size_t *len)
{
	*len = LEN(layout);
	return layout;
}
