/* The C side of package cring: what cannot be said in Go, nothing more. */
#ifndef SOCKRING_SHIM_H
#define SOCKRING_SHIM_H

#include <liburing.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * shim_view is where a ring's shared memory lies. Go reads it once at set-up and then works on that memory itself.
 */
struct shim_view {
	unsigned *sq_khead;
	unsigned *sq_ktail;
	unsigned *sq_kflags;
	unsigned *sq_kdropped;
	unsigned *sqe_head;
	unsigned *sqe_tail;
	struct io_uring_sqe *sqes;
	unsigned *cq_khead;
	unsigned *cq_ktail;
	unsigned *cq_koverflow;
	unsigned *cq_kflags;
	struct io_uring_cqe *cqes;
	unsigned sq_entries;
	unsigned cq_entries;
	unsigned flags;
	unsigned features;
	int ring_fd;
	int enter_fd;
};

static inline struct io_uring *shim_alloc(void)
{
	return calloc(1, sizeof(struct io_uring));
}

static inline void shim_view(struct io_uring *ring, struct shim_view *v)
{
	/* ring_mask and ring_entries were pointers only before 2.2; from 2.3 on they are plain copies. */
	v->sq_khead = ring->sq.khead;
	v->sq_ktail = ring->sq.ktail;
	v->sq_kflags = ring->sq.kflags;
	v->sq_kdropped = ring->sq.kdropped;
	v->sqe_head = &ring->sq.sqe_head;
	v->sqe_tail = &ring->sq.sqe_tail;
	v->sqes = ring->sq.sqes;
	v->cq_khead = ring->cq.khead;
	v->cq_ktail = ring->cq.ktail;
	v->cq_koverflow = ring->cq.koverflow;
	v->cq_kflags = ring->cq.kflags;
	v->cqes = ring->cq.cqes;
	v->sq_entries = ring->sq.ring_entries;
	v->cq_entries = ring->cq.ring_entries;
	v->flags = ring->flags;
	v->features = ring->features;
	v->ring_fd = ring->ring_fd;
	v->enter_fd = ring->enter_ring_fd;
}

/*
 * shim_wait submits and waits for nr completions, for at most *ts where ts is given. The CQE that
 * liburing points at is of no use here: Go reads the queue itself.
 */
static inline int shim_wait(struct io_uring *ring, unsigned nr, long long sec, long long nsec)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	struct io_uring_cqe *cqe = NULL;

	if (sec < 0)
		return io_uring_submit_and_wait(ring, nr);
	return io_uring_submit_and_wait_timeout(ring, &cqe, nr, &ts, NULL);
}

/*
 * shim_wait_min is shim_wait with a minimum wait (kernel 6.12): it returns when nr completions are
 * there, or when min_usec have passed and there is any. It enters the kernel by hand because liburing
 * has a function for it only from 2.8 on; Go has flushed the submission queue before.
 */
static inline int shim_wait_min(struct io_uring *ring, unsigned to_submit, unsigned nr, unsigned flags,
				long long sec, long long nsec, unsigned min_usec)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	/* struct io_uring_getevents_arg, whose min_wait_usec is still called pad in old headers. */
	struct {
		__u64 sigmask;
		__u32 sigmask_sz;
		__u32 min_wait_usec;
		__u64 ts;
	} arg = { .sigmask_sz = _NSIG / 8, .min_wait_usec = min_usec };

	if (sec >= 0)
		arg.ts = (unsigned long)&ts;
	return io_uring_enter2(ring->enter_ring_fd, to_submit, nr, flags | IORING_ENTER_EXT_ARG,
			       (sigset_t *)&arg, sizeof(arg));
}

#endif
