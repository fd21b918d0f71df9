#include "ctest.h"

#include "polyfill.h"

#include <errno.h>
#include <stdlib.h>

struct io_uring *ctest_new(unsigned entries, unsigned flags, int *err)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));

	if (!ring) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = io_uring_queue_init(entries, ring, flags);
	if (*err < 0) {
		free(ring);
		return NULL;
	}
	return ring;
}

void ctest_free(struct io_uring *ring)
{
	io_uring_queue_exit(ring);
	free(ring);
}

int ctest_nop(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_nop(sqe);
	sqe->user_data = user_data;
	return 0;
}

int ctest_submit(struct io_uring *ring)
{
	return io_uring_submit(ring);
}

int ctest_wait(struct io_uring *ring, uint64_t *user_data, int *res)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe(ring, &cqe);

	if (ret < 0)
		return ret;
	*user_data = cqe->user_data;
	*res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return 0;
}
