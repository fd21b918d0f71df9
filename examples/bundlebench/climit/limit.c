#include "limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "group.h"

/* The kernel covers at most this many buffers by one completion of a bundle. */
#define BUFFERS_PER_CQE 256

struct limit {
	struct io_uring ring;
	struct group *groups;
	void *rings; /* memory of all buffer rings */
	size_t rings_bytes;
	const int *fds;
	const struct climit_args *args;
	struct climit_result *res;
	uint64_t batch_bytes; /* of one connection */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t cpu_ns(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000u;
}

static int fail(struct limit *l, const char *step, int err)
{
	l->res->step = step;
	return err;
}

/* Asks for everything that helps a single-threaded loop and steps down where the kernel refuses. */
static int open_ring(struct limit *l)
{
	static const unsigned ladder[] = {
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	unsigned per_batch = (l->args->msgs + BUFFERS_PER_CQE - 1) / BUFFERS_PER_CQE;
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]) && ret == -EINVAL; i++) {
		struct io_uring_params p = { 0 };

		p.flags = ladder[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
		p.cq_entries = 2 * l->args->conns * per_batch;
		ret = io_uring_queue_init_params(l->args->conns, &l->ring, &p);
		l->res->setup_flags = p.flags;
	}
	if (ret < 0)
		return fail(l, "io_uring_setup", ret);
	if (!(l->ring.features & IORING_FEAT_RECVSEND_BUNDLE)) {
		io_uring_queue_exit(&l->ring);
		return fail(l, "IORING_FEAT_RECVSEND_BUNDLE (Linux 6.10)", -EOPNOTSUPP);
	}
	/* Saves a look-up of the ring per enter; kernels before 5.18 lack it and nothing depends on it. */
	(void)io_uring_register_ring_fd(&l->ring);
	return 0;
}

static int open_groups(struct limit *l, uint8_t *mem)
{
	const struct climit_args *a = l->args;
	size_t per_ring = group_ring_bytes(a->msgs);

	l->rings_bytes = per_ring * a->conns;
	l->rings = mmap(NULL, l->rings_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->rings == MAP_FAILED)
		return fail(l, "mmap", -errno);
	l->groups = calloc(a->conns, sizeof(*l->groups));
	if (!l->groups)
		return fail(l, "calloc", -ENOMEM);
	for (uint32_t c = 0; c < a->conns; c++) {
		struct group *g = &l->groups[c];
		int ret;

		g->br = (struct io_uring_buf_ring *)((uint8_t *)l->rings + c * per_ring);
		g->msg = mem + (size_t)c * a->msgs * a->stride;
		g->msgs = a->msgs;
		g->size = a->size;
		g->stride = a->stride;
		g->id = (uint16_t)c;
		ret = group_register(g, &l->ring);
		if (ret < 0)
			return fail(l, "io_uring_register_buf_ring", ret);
	}
	return 0;
}

static void close_all(struct limit *l)
{
	io_uring_queue_exit(&l->ring);
	free(l->groups);
	if (l->rings != MAP_FAILED)
		munmap(l->rings, l->rings_bytes);
}

/* Sends what the group's ring holds. Headers before liburing 2.7 have no io_uring_prep_send_bundle. */
static int arm(struct limit *l, uint32_t c)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&l->ring);

	if (!sqe)
		return fail(l, "io_uring_get_sqe", -EBUSY);
	io_uring_prep_send(sqe, l->fds[c], NULL, 0, 0);
	sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = l->groups[c].id;
	sqe->user_data = c;
	return 0;
}

/* Accounts one completion. Returns 1 when its connection's batch has left, 0 when more is to come. */
static int complete(struct limit *l, const struct io_uring_cqe *cqe)
{
	uint32_t c = (uint32_t)cqe->user_data;
	struct group *g = &l->groups[c];
	int ret;

	if (cqe->res < 0)
		return fail(l, "send bundle", cqe->res);
	g->sent += (uint64_t)cqe->res;
	if (cqe->flags & IORING_CQE_F_MORE)
		return 0;
	if (g->sent == l->batch_bytes)
		return 1;
	if (cqe->res == 0)
		return fail(l, "send bundle made no progress", -EIO);
	l->res->resumed++;
	ret = group_resume(g, &l->ring);
	if (ret < 0)
		return fail(l, "continue a short bundle", ret);
	return arm(l, c);
}

static int reap(struct limit *l, uint32_t *pending)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int ret = 0;

	io_uring_for_each_cqe(&l->ring, head, cqe) {
		ret = complete(l, cqe);
		if (ret < 0)
			break;
		*pending -= (uint32_t)ret;
		seen++;
	}
	io_uring_cq_advance(&l->ring, seen);
	return ret < 0 ? ret : 0;
}

/* Writes the running number of each message of this batch into its first eight bytes, little-endian. */
static void stamp(struct limit *l, uint64_t batch)
{
	const struct climit_args *a = l->args;
	unsigned n = a->size < 8 ? a->size : 8;

	for (uint32_t c = 0; c < a->conns; c++) {
		for (uint32_t m = 0; m < a->msgs; m++) {
			uint8_t *p = l->groups[c].msg + (size_t)m * a->stride;
			uint64_t k = batch * a->msgs + m;

			for (unsigned i = 0; i < n; i++, k >>= 8)
				p[i] = (uint8_t)k;
		}
	}
}

/* Sends one batch on every connection: all bundles in one submit, then waits until each has left. */
static int pass(struct limit *l)
{
	uint32_t pending = l->args->conns;
	int ret;

	for (uint32_t c = 0; c < l->args->conns; c++) {
		l->groups[c].sent = 0;
		group_publish(&l->groups[c]);
		ret = arm(l, c);
		if (ret < 0)
			return ret;
	}
	while (pending > 0) {
		l->res->enters++;
		ret = io_uring_submit_and_wait(&l->ring, pending);
		if (ret < 0 && ret != -EINTR)
			return fail(l, "io_uring_submit_and_wait", ret);
		ret = reap(l, &pending);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Makes passes for ns nanoseconds, at least one, with one look at the clock a pass. */
static int passes_for(struct limit *l, uint64_t ns, uint64_t *passes)
{
	uint64_t end = now_ns() + ns;

	do {
		int ret;

		if (l->args->stamp)
			stamp(l, l->res->warm_passes + l->res->passes);
		ret = pass(l);
		if (ret < 0)
			return ret;
		(*passes)++;
	} while (now_ns() < end);
	return 0;
}

static int measure(struct limit *l)
{
	uint64_t start, cpu;
	int ret;

	ret = passes_for(l, l->args->warmup_ns, &l->res->warm_passes);
	if (ret < 0)
		return ret;
	l->res->enters = 0;
	l->res->resumed = 0;
	cpu = cpu_ns();
	start = now_ns();
	ret = passes_for(l, l->args->dur_ns, &l->res->passes);
	l->res->elapsed_ns = now_ns() - start;
	l->res->cpu_ns = cpu_ns() - cpu;
	return ret;
}

int climit_run(const int *fds, uint8_t *mem, const struct climit_args *args, struct climit_result *res)
{
	struct limit l = { .fds = fds, .args = args, .res = res, .rings = MAP_FAILED };
	int ret;

	memset(res, 0, sizeof(*res));
	l.batch_bytes = (uint64_t)args->msgs * args->size;
	ret = open_ring(&l);
	if (ret < 0)
		return ret;
	ret = open_groups(&l, mem);
	if (ret == 0)
		ret = measure(&l);
	close_all(&l);
	return ret;
}

uint32_t climit_identity(uint32_t x)
{
	return x;
}
