//go:build linux && cgo

#include "cprep.h"

#include "polyfill.h"

#include <string.h>

/* Arguments as the callee has them: I int, U unsigned, L 64 bits, P an address. */
#define I(n) ((int)a[n])
#define U(n) ((unsigned)a[n])
#define L(n) (a[n])
#define P(n) ((void *)(uintptr_t)a[n])

#define CALL(function, ...)                                                                                    \
	do {                                                                                                   \
		if (strcmp(name, #function) == 0) {                                                            \
			if (sqe)                                                                               \
				function(sqe, __VA_ARGS__);                                                    \
			return true;                                                                           \
		}                                                                                              \
	} while (0)

static bool call_setter(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_sqe_set_flags, U(0));
	CALL(io_uring_sqe_set_data64, L(0));
#if SOCKRING_LIBURING >= 209
	CALL(io_uring_sqe_set_buf_group, I(0));
#endif
	CALL(io_uring_prep_send_set_addr, P(0), (__u16)a[1]);
	return false;
}

static bool call_send(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_send, I(0), P(1), L(2), I(3));
	CALL(io_uring_prep_sendto, I(0), P(1), L(2), I(3), P(4), U(5));
	CALL(io_uring_prep_send_bundle, I(0), L(1), I(2));
	CALL(io_uring_prep_sendmsg, I(0), P(1), U(2));
	CALL(io_uring_prep_send_zc, I(0), P(1), L(2), I(3), U(4));
	CALL(io_uring_prep_send_zc_fixed, I(0), P(1), L(2), I(3), U(4), U(5));
	CALL(io_uring_prep_sendmsg_zc, I(0), P(1), U(2));
#if SOCKRING_LIBURING >= 210
	CALL(io_uring_prep_sendmsg_zc_fixed, I(0), P(1), U(2), U(3));
#endif
	return false;
}

static bool call_recv(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_recv, I(0), P(1), L(2), I(3));
	CALL(io_uring_prep_recv_multishot, I(0), P(1), L(2), I(3));
	CALL(io_uring_prep_recvmsg, I(0), P(1), U(2));
	CALL(io_uring_prep_recvmsg_multishot, I(0), P(1), U(2));
	CALL(io_uring_prep_provide_buffers, P(0), I(1), I(2), I(3), I(4));
	CALL(io_uring_prep_remove_buffers, I(0), I(1));
	return false;
}

static bool call_socket(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_socket, I(0), I(1), I(2), U(3));
	CALL(io_uring_prep_socket_direct, I(0), I(1), I(2), U(3), U(4));
	CALL(io_uring_prep_socket_direct_alloc, I(0), I(1), I(2), U(3));
	CALL(io_uring_prep_accept, I(0), P(1), P(2), I(3));
	CALL(io_uring_prep_accept_direct, I(0), P(1), P(2), I(3), U(4));
	CALL(io_uring_prep_multishot_accept, I(0), P(1), P(2), I(3));
	CALL(io_uring_prep_multishot_accept_direct, I(0), P(1), P(2), I(3));
	CALL(io_uring_prep_connect, I(0), P(1), U(2));
	CALL(io_uring_prep_shutdown, I(0), I(1));
#if SOCKRING_LIBURING >= 206 /* 2.5 has it, but ignores all but the command and the descriptor */
	CALL(io_uring_prep_cmd_sock, I(0), I(1), I(2), I(3), P(4), I(5));
#endif
#if SOCKRING_LIBURING >= 207
	CALL(io_uring_prep_bind, I(0), P(1), U(2));
	CALL(io_uring_prep_listen, I(0), I(1));
#endif
#if SOCKRING_LIBURING >= 213
	CALL(io_uring_prep_cmd_getsockname, I(0), P(1), P(2), I(3));
#endif
	return false;
}

static bool call_read_write(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_read, I(0), P(1), U(2), L(3));
	CALL(io_uring_prep_write, I(0), P(1), U(2), L(3));
	CALL(io_uring_prep_readv, I(0), P(1), U(2), L(3));
	CALL(io_uring_prep_writev, I(0), P(1), U(2), L(3));
	CALL(io_uring_prep_readv2, I(0), P(1), U(2), L(3), I(4));
	CALL(io_uring_prep_writev2, I(0), P(1), U(2), L(3), I(4));
	CALL(io_uring_prep_read_fixed, I(0), P(1), U(2), L(3), I(4));
	CALL(io_uring_prep_write_fixed, I(0), P(1), U(2), L(3), I(4));
#if SOCKRING_LIBURING >= 207 /* 2.6 has it, but forgets IOSQE_BUFFER_SELECT */
	CALL(io_uring_prep_read_multishot, I(0), U(1), L(2), I(3));
#endif
#if SOCKRING_LIBURING >= 210
	CALL(io_uring_prep_readv_fixed, I(0), P(1), U(2), L(3), I(4), I(5));
	CALL(io_uring_prep_writev_fixed, I(0), P(1), U(2), L(3), I(4), I(5));
#endif
	CALL(io_uring_prep_splice, I(0), (int64_t)a[1], I(2), (int64_t)a[3], U(4), U(5));
	CALL(io_uring_prep_tee, I(0), I(1), U(2), U(3));
	return false;
}

static bool call_file(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_fsync, I(0), U(1));
	CALL(io_uring_prep_sync_file_range, I(0), U(1), L(2), I(3));
	CALL(io_uring_prep_fallocate, I(0), I(1), (off_t)a[2], (off_t)a[3]);
	CALL(io_uring_prep_fadvise, I(0), L(1), U(2), I(3));
	CALL(io_uring_prep_madvise, P(0), U(1), I(2));
	CALL(io_uring_prep_close, I(0));
	CALL(io_uring_prep_close_direct, U(0));
	CALL(io_uring_prep_files_update, P(0), U(1), I(2));
#if SOCKRING_LIBURING >= 206
	CALL(io_uring_prep_fixed_fd_install, I(0), U(1));
	CALL(io_uring_prep_ftruncate, I(0), (loff_t)a[1]);
#endif
#if SOCKRING_LIBURING >= 207
	CALL(io_uring_prep_fadvise64, I(0), L(1), (off_t)a[2], I(3));
	CALL(io_uring_prep_madvise64, P(0), (off_t)a[1], I(2));
#endif
#if SOCKRING_LIBURING >= 208
	CALL(io_uring_prep_cmd_discard, I(0), L(1), L(2));
#endif
#if SOCKRING_LIBURING >= 212
	CALL(io_uring_prep_pipe, P(0), I(1));
	CALL(io_uring_prep_pipe_direct, P(0), I(1), U(2));
#endif
	return false;
}

static bool call_open(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_openat, I(0), P(1), I(2), U(3));
	CALL(io_uring_prep_openat_direct, I(0), P(1), I(2), U(3), U(4));
	CALL(io_uring_prep_openat2, I(0), P(1), P(2));
	CALL(io_uring_prep_openat2_direct, I(0), P(1), P(2), U(3));
#if SOCKRING_LIBURING >= 208
	CALL(io_uring_prep_open, P(0), I(1), U(2));
	CALL(io_uring_prep_open_direct, P(0), I(1), U(2), U(3));
#endif
	CALL(io_uring_prep_statx, I(0), P(1), I(2), U(3), P(4));
	return false;
}

static bool call_path(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_unlinkat, I(0), P(1), I(2));
	CALL(io_uring_prep_unlink, P(0), I(1));
	CALL(io_uring_prep_renameat, I(0), P(1), I(2), P(3), U(4));
	CALL(io_uring_prep_rename, P(0), P(1));
	CALL(io_uring_prep_mkdirat, I(0), P(1), U(2));
	CALL(io_uring_prep_mkdir, P(0), U(1));
	CALL(io_uring_prep_symlinkat, P(0), I(1), P(2));
	CALL(io_uring_prep_symlink, P(0), P(1));
	CALL(io_uring_prep_linkat, I(0), P(1), I(2), P(3), I(4));
	CALL(io_uring_prep_link, P(0), P(1), I(2));
	CALL(io_uring_prep_getxattr, P(0), P(1), P(2), U(3));
	CALL(io_uring_prep_setxattr, P(0), P(1), P(2), I(3), U(4));
	CALL(io_uring_prep_fgetxattr, I(0), P(1), P(2), U(3));
	CALL(io_uring_prep_fsetxattr, I(0), P(1), P(2), I(3), U(4));
	return false;
}

static bool call_wait(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	CALL(io_uring_prep_poll_add, I(0), U(1));
	CALL(io_uring_prep_poll_multishot, I(0), U(1));
	CALL(io_uring_prep_poll_remove, L(0));
	CALL(io_uring_prep_poll_update, L(0), L(1), U(2), U(3));
	CALL(io_uring_prep_epoll_ctl, I(0), I(1), I(2), P(3));
	CALL(io_uring_prep_timeout, P(0), U(1), U(2));
	CALL(io_uring_prep_timeout_remove, L(0), U(1));
	CALL(io_uring_prep_timeout_update, P(0), L(1), U(2));
	CALL(io_uring_prep_link_timeout, P(0), U(1));
	CALL(io_uring_prep_cancel, P(0), I(1));
	CALL(io_uring_prep_cancel64, L(0), I(1));
	CALL(io_uring_prep_cancel_fd, I(0), U(1));
#if SOCKRING_LIBURING >= 206
	CALL(io_uring_prep_waitid, (idtype_t)a[0], (id_t)a[1], P(2), I(3), U(4));
	CALL(io_uring_prep_futex_wake, P(0), L(1), L(2), U(3), U(4));
	CALL(io_uring_prep_futex_wait, P(0), L(1), L(2), U(3), U(4));
	CALL(io_uring_prep_futex_waitv, P(0), U(1), U(2));
#endif
#if SOCKRING_LIBURING >= 210
	CALL(io_uring_prep_epoll_wait, I(0), P(1), I(2), U(3));
#endif
	return false;
}

static bool call_ring(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	if (strcmp(name, "io_uring_prep_nop") == 0) {
		if (sqe)
			io_uring_prep_nop(sqe);
		return true;
	}
	CALL(io_uring_prep_msg_ring, I(0), U(1), L(2), U(3));
#if SOCKRING_LIBURING >= 204
	CALL(io_uring_prep_msg_ring_cqe_flags, I(0), U(1), L(2), U(3), U(4));
	CALL(io_uring_prep_msg_ring_fd, I(0), I(1), I(2), L(3), U(4));
	CALL(io_uring_prep_msg_ring_fd_alloc, I(0), I(1), L(2), U(3));
#endif
	return false;
}

bool cprep_call(struct io_uring_sqe *sqe, const char *name, const uint64_t *a)
{
	return call_send(sqe, name, a) || call_recv(sqe, name, a) || call_socket(sqe, name, a) ||
	       call_read_write(sqe, name, a) || call_file(sqe, name, a) || call_open(sqe, name, a) ||
	       call_path(sqe, name, a) || call_wait(sqe, name, a) || call_ring(sqe, name, a) ||
	       call_setter(sqe, name, a);
}

void cprep_copy(void *to, uint64_t from, size_t n)
{
	memcpy(to, (const void *)(uintptr_t)from, n);
}

int cprep_version(void)
{
	return SOCKRING_LIBURING;
}

int cprep_buf_ring(unsigned nentries, int bgid)
{
	struct io_uring ring;
	struct io_uring_buf_ring *br;
	int ret = io_uring_queue_init(1, &ring, 0);

	if (ret < 0)
		return ret;
	br = io_uring_setup_buf_ring(&ring, nentries, bgid, 0, &ret);
	if (br != NULL)
		ret = io_uring_free_buf_ring(&ring, br, nentries, bgid);
	io_uring_queue_exit(&ring);
	return ret;
}
