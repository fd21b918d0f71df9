/*
 * The send-bundle loop of bundlebench in C: the ceiling that the Go modes are held against. The whole
 * run, warm-up included, is one call.
 */
#ifndef CLIMIT_LIMIT_H
#define CLIMIT_LIMIT_H

#include <stdint.h>

struct climit_args {
	uint32_t conns, msgs, size; /* a batch: msgs messages of size bytes on each of conns sockets */
	uint32_t stride;            /* from one message to the next in memory, in bytes */
	uint32_t stamp;             /* not 0: write its running number into every message */
	uint64_t warmup_ns, dur_ns;
};

struct climit_result {
	uint64_t warm_passes; /* batches a connection before the measured window */
	uint64_t passes;      /* and in it */
	uint64_t elapsed_ns, cpu_ns, enters, resumed;
	uint32_t setup_flags; /* IORING_SETUP_* that the kernel granted */
	const char *step;     /* what failed; a constant string */
};

/*
 * climit_run sends batches until the time is over: fds are conns connected stream sockets, mem holds the
 * conns * msgs messages, connection by connection. It keeps neither. Returns 0 or -errno.
 */
int climit_run(const int *fds, uint8_t *mem, const struct climit_args *args, struct climit_result *res);

/* climit_identity returns x: it is there to time a call from Go to C. */
uint32_t climit_identity(uint32_t x);

#endif
