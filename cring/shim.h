/* The C side of package cring: what cannot be said in Go, nothing more. */
#ifndef SOCKRING_SHIM_H
#define SOCKRING_SHIM_H

#include "polyfill.h"

#include <errno.h>
#include <pthread.h>
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

/*
 * A hold is a robust mutex that a thread keeps for as long as it owns something. Thread numbers are used
 * again once the kernel has gone through them all; the kernel ends a thread's holds with the thread.
 */
struct shim_hold {
	pthread_mutex_t mutex;
	int released;
};

enum { SHIM_HOLD_SELF, SHIM_HOLD_OTHER, SHIM_HOLD_GONE };

static inline struct shim_hold *shim_hold_take(void)
{
	struct shim_hold *hold = calloc(1, sizeof(*hold));
	pthread_mutexattr_t attr;

	if (!hold)
		return NULL;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&hold->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_lock(&hold->mutex);
	return hold;
}

/*
 * shim_hold_check tells whose a hold is: the calling thread's, another's that lives, or nobody's any more. That it is
 * nobody's is found once and kept: glibc's pthread_mutex_trylock leaves a mutex that is not recoverable locked by
 * whoever tries, so that asking again would take that thread for the one that has the hold.
 */
static inline int shim_hold_check(struct shim_hold *hold)
{
	if (__atomic_load_n(&hold->released, __ATOMIC_ACQUIRE))
		return SHIM_HOLD_GONE;
	switch (pthread_mutex_trylock(&hold->mutex)) {
	case 0:
		pthread_mutex_unlock(&hold->mutex);
		/* Released between the two looks, or else it can only be ours. */
		if (__atomic_load_n(&hold->released, __ATOMIC_ACQUIRE))
			return SHIM_HOLD_GONE;
		return SHIM_HOLD_SELF;
	case EBUSY:
		return SHIM_HOLD_OTHER;
	case EOWNERDEAD:
		__atomic_store_n(&hold->released, 1, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&hold->mutex);
		return SHIM_HOLD_GONE;
	default:
		return SHIM_HOLD_GONE;
	}
}

static inline void shim_hold_release(struct shim_hold *hold)
{
	__atomic_store_n(&hold->released, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&hold->mutex);
}

/* shim_hold_free keeps the memory of a hold that some thread still has: the kernel knows its address. */
static inline void shim_hold_free(struct shim_hold *hold)
{
	if (shim_hold_check(hold) != SHIM_HOLD_GONE)
		return;
	pthread_mutex_destroy(&hold->mutex);
	free(hold);
}

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
