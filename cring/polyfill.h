/*
 * What the library and its tests use of liburing and older headers lack, in one place. The groups are
 * named after the liburing version that brought what they supply: where that version or a newer one
 * is installed the group is empty, and once it is the oldest one supported the group can go.
 *
 * The numbers are the kernel's and never change. The functions follow the man pages of liburing.
 */
#ifndef SOCKRING_POLYFILL_H
#define SOCKRING_POLYFILL_H

/*
 * This comes before all else, so that a machine without liburing is told what to install. Every cgo file includes
 * liburing by this header for that, or belongs to a package that is compiled only after this one.
 */
#if !__has_include(<liburing.h>)
#error liburing is missing, or its headers are: install liburing-dev (Debian, Ubuntu, Alpine), \
	liburing-devel (Fedora) or liburing (Arch), or build without it by CGO_ENABLED=0
#endif

#include <errno.h>
#include <liburing.h>
#include <linux/futex.h>
#include <sys/mman.h>

/*
 * SOCKRING_LIBURING is the version of the headers, major * 100 + minor. Version macros came with 2.4;
 * IORING_SETUP_DEFER_TASKRUN came with 2.3.
 */
#if defined(IO_URING_VERSION_MAJOR) && defined(IO_URING_VERSION_MINOR)
#define SOCKRING_LIBURING (IO_URING_VERSION_MAJOR * 100 + IO_URING_VERSION_MINOR)
#elif defined(IORING_SETUP_DEFER_TASKRUN)
#define SOCKRING_LIBURING 203
#else
#define SOCKRING_LIBURING 0
#endif

#if __has_include(<liburing.h>) && SOCKRING_LIBURING < 203
#error liburing 2.3 or newer is required: have CGO_CFLAGS=-I... and CGO_LDFLAGS=-L... say where a newer one is, \
	or build without it by CGO_ENABLED=0
#endif

#if SOCKRING_LIBURING < 204

#define IORING_FEAT_REG_REG_RING (1U << 13)
#define IORING_MSG_RING_FLAGS_PASS (1U << 1)
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#define IORING_OFF_MMAP_MASK 0xf8000000ULL
#define IORING_OFF_PBUF_RING 0x80000000ULL
#define IORING_OFF_PBUF_SHIFT 16
#define IORING_REGISTER_USE_REGISTERED_RING (1U << 31)
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#define IORING_TIMEOUT_MULTISHOT (1U << 6)
#define IOU_PBUF_RING_MMAP 1

static inline void io_uring_prep_sendto(struct io_uring_sqe *sqe, int fd, const void *buf, size_t len,
					int flags, const struct sockaddr *addr, socklen_t addrlen)
{
	io_uring_prep_send(sqe, fd, buf, len, flags);
	sqe->addr2 = (uintptr_t)addr;
	sqe->addr_len = (__u16)addrlen;
}

static inline size_t sockring_buf_ring_bytes(unsigned nentries)
{
	return (size_t)nentries * sizeof(struct io_uring_buf);
}

static inline int io_uring_free_buf_ring(struct io_uring *ring, struct io_uring_buf_ring *br,
					 unsigned nentries, int bgid)
{
	int ret = io_uring_unregister_buf_ring(ring, bgid);

	if (ret == 0)
		munmap(br, sockring_buf_ring_bytes(nentries));
	return ret;
}

static inline struct io_uring_buf_ring *io_uring_setup_buf_ring(struct io_uring *ring, unsigned nentries,
								int bgid, unsigned flags, int *err)
{
	struct io_uring_buf_reg reg = { .ring_entries = nentries, .bgid = (__u16)bgid };
	void *mem = mmap(NULL, sockring_buf_ring_bytes(nentries), PROT_READ | PROT_WRITE,
			 MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	if (mem == MAP_FAILED) {
		*err = -errno;
		return NULL;
	}
	reg.ring_addr = (uintptr_t)mem;
	*err = io_uring_register_buf_ring(ring, &reg, flags);
	if (*err != 0) {
		munmap(mem, sockring_buf_ring_bytes(nentries));
		return NULL;
	}
	io_uring_buf_ring_init(mem);
	return mem;
}

#endif /* 2.4 */

#if SOCKRING_LIBURING < 205

#define IORING_SETUP_NO_MMAP (1U << 14)
#define IORING_SETUP_REGISTERED_FD_ONLY (1U << 15)
#define SOCKET_URING_OP_SIOCINQ 0
#define SOCKET_URING_OP_SIOCOUTQ 1

#endif /* 2.5 */

#if SOCKRING_LIBURING < 206

#define IORING_FIXED_FD_NO_CLOEXEC (1U << 0)
#define IORING_REGISTER_PBUF_STATUS 26
#define IORING_REGISTER_NAPI 27
#define IORING_UNREGISTER_NAPI 28
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#define SOCKET_URING_OP_GETSOCKOPT 2
#define SOCKET_URING_OP_SETSOCKOPT 3

struct io_uring_buf_status {
	__u32 buf_group;
	__u32 head;
	__u32 resv[8];
};

struct io_uring_napi {
	__u32 busy_poll_to;
	__u8 prefer_busy_poll;
	__u8 pad[3];
	__u64 resv;
};

#endif /* 2.6 */

#if SOCKRING_LIBURING < 207

#define IORING_ACCEPT_DONTWAIT (1U << 1)
#define IORING_ACCEPT_POLL_FIRST (1U << 2)
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#define IORING_NOP_INJECT_RESULT (1U << 0)
#define IORING_RECVSEND_BUNDLE (1U << 4)

static inline void io_uring_prep_send_bundle(struct io_uring_sqe *sqe, int fd, size_t len, int flags)
{
	io_uring_prep_send(sqe, fd, NULL, len, flags);
	sqe->ioprio |= IORING_RECVSEND_BUNDLE;
}

#endif /* 2.7 */

#if SOCKRING_LIBURING < 208

#define IORING_ASYNC_CANCEL_USERDATA (1U << 4)
#define IORING_ASYNC_CANCEL_OP (1U << 5)
#define IORING_CQE_F_BUF_MORE (1U << 4)
#define IORING_ENTER_ABS_TIMER (1U << 5)
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#define IORING_REGISTER_CLOCK 29
#define IORING_REGISTER_CLONE_BUFFERS 30
#define IORING_REGISTER_SRC_REGISTERED (1U << 0)
#define IORING_URING_CMD_MASK IORING_URING_CMD_FIXED
#define IOU_PBUF_RING_INC 2

struct io_uring_clock_register {
	__u32 clockid;
	__u32 __resv[3];
};

struct io_uring_clone_buffers {
	__u32 src_fd;
	__u32 flags;
	__u32 src_off;
	__u32 dst_off;
	__u32 nr;
	__u32 pad[3];
};

#endif /* 2.8 */

#if SOCKRING_LIBURING < 209

#define IORING_ENTER_EXT_ARG_REG (1U << 6)
#define IORING_MEM_REGION_REG_WAIT_ARG 1
#define IORING_MEM_REGION_TYPE_USER 1
#define IORING_REGISTER_DST_REPLACE (1U << 1)
#define IORING_REGISTER_MEM_REGION 34
#define IORING_REGISTER_RESIZE_RINGS 33
#define IORING_REG_WAIT_TS (1U << 0)
#define IORING_SETUP_HYBRID_IOPOLL (1U << 17)

struct io_uring_region_desc {
	__u64 user_addr;
	__u64 size;
	__u32 flags;
	__u32 id;
	__u64 mmap_offset;
	__u64 __resv[4];
};

struct io_uring_mem_region_reg {
	__u64 region_uptr;
	__u64 flags;
	__u64 __resv[2];
};

struct io_uring_reg_wait {
	struct __kernel_timespec ts;
	__u32 min_wait_usec;
	__u32 flags;
	__u64 sigmask;
	__u32 sigmask_sz;
	__u32 pad[3];
	__u64 pad2[2];
};

#endif /* 2.9 */

#if SOCKRING_LIBURING < 210

#define IORING_ENTER_NO_IOWAIT (1U << 7)
#define IORING_FEAT_RW_ATTR (1U << 16)
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#define IORING_REGISTER_SEND_MSG_RING 31
#define IORING_REGISTER_ZCRX_IFQ 32

#endif /* 2.10 */

#if SOCKRING_LIBURING < 212

#define IORING_CQE_F_TSTAMP_HW (1U << 16)
#define IORING_SEND_VECTORIZED (1U << 5)
#define IORING_TIMESTAMP_HW_SHIFT 16
#define IORING_TIMESTAMP_TYPE_SHIFT 17
#define SOCKET_URING_OP_TX_TIMESTAMP 4

#endif /* 2.12 */

#if SOCKRING_LIBURING < 213

#define IORING_CQE_F_SKIP (1U << 5)
#define IORING_CQE_F_32 (1U << 15)
#define IORING_NOP_CQE32 (1U << 5)
#define IORING_REGISTER_QUERY 35
#define IORING_RW_ATTR_FLAG_PI (1U << 0)
#define IORING_SETUP_CQE_MIXED (1U << 18)
#define IORING_SETUP_SQE_MIXED (1U << 19)
#define SOCKET_URING_OP_GETSOCKNAME 5

#endif /* 2.13 */

#if SOCKRING_LIBURING < 214

#define IORING_SETUP_SQ_REWIND (1U << 20)

#endif /* 2.14 */

#if SOCKRING_LIBURING < 215

#define IORING_REGISTER_ZCRX_CTRL 36
#define IORING_REGISTER_BPF_FILTER 37
#define IORING_TIMEOUT_IMMEDIATE_ARG (1U << 7)

#endif /* 2.15 */

/* <linux/futex.h> of Linux 6.7, which liburing does not carry. */

#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 FUTEX_32
#endif

#ifndef FUTEX2_PRIVATE
#define FUTEX2_PRIVATE FUTEX_PRIVATE_FLAG
#endif

#endif /* SOCKRING_POLYFILL_H */
