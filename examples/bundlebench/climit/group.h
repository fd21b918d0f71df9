/*
 * A group is one connection's provided-buffer ring and the messages in it. It owns the ring's memory
 * share, not the messages, and knows how to publish them from any byte on.
 */
#ifndef CLIMIT_GROUP_H
#define CLIMIT_GROUP_H

#include "compat.h"

struct group {
	struct io_uring_buf_ring *br; /* page-aligned, shared with the kernel */
	uint8_t *msg;                 /* first message; the next ones follow at stride */
	uint64_t sent;                /* bytes of the current batch that have left */
	unsigned entries;             /* of the ring, a power of two */
	unsigned msgs, size, stride;
	uint16_t id; /* buffer group */
};

/* group_ring_bytes is the memory that a ring for msgs messages takes, in whole pages. */
size_t group_ring_bytes(unsigned msgs);

/* group_register hands the empty ring to the kernel. Returns 0 or -errno. */
int group_register(struct group *g, struct io_uring *ring);

/* group_publish makes the batch, from its first unsent byte on, available to the kernel. The ring must
 * hold no buffers. */
void group_publish(struct group *g);

/*
 * group_resume prepares the continuation of a bundle that ended before the batch had left: afterwards the
 * ring holds exactly the unsent bytes. The kernel takes buffers out of the ring when it picks them, not
 * when it has sent them, so what is left in the ring may start behind the first unsent byte; then the ring
 * is registered anew, because nothing can be put in front of what it holds. Returns 0 or -errno.
 */
int group_resume(struct group *g, struct io_uring *ring);

#endif
