#include "group.h"

#include <errno.h>

static unsigned entries_for(unsigned msgs)
{
	unsigned n = 1;

	while (n < msgs)
		n <<= 1;
	return n;
}

size_t group_ring_bytes(unsigned msgs)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = entries_for(msgs) * sizeof(struct io_uring_buf);

	return (n + page - 1) / page * page;
}

int group_register(struct group *g, struct io_uring *ring)
{
	struct io_uring_buf_reg reg = { 0 };

	g->entries = entries_for(g->msgs);
	reg.ring_addr = (uint64_t)(uintptr_t)g->br;
	reg.ring_entries = g->entries;
	reg.bgid = g->id;
	io_uring_buf_ring_init(g->br);
	return io_uring_register_buf_ring(ring, &reg, 0);
}

void group_publish(struct group *g)
{
	int mask = io_uring_buf_ring_mask(g->entries);
	unsigned m = (unsigned)(g->sent / g->size);
	unsigned skip = (unsigned)(g->sent % g->size);
	uint8_t *p = g->msg + (size_t)m * g->stride;
	int n = 0;

	for (; m < g->msgs; m++, n++, p += g->stride, skip = 0)
		io_uring_buf_ring_add(g->br, p + skip, g->size - skip, (unsigned short)m, mask, n);
	io_uring_buf_ring_advance(g->br, n);
}

int group_resume(struct group *g, struct io_uring *ring)
{
	struct climit_buf_status st = { .buf_group = g->id };
	uint64_t tail = (uint64_t)g->msgs * g->size - g->sent;
	uint16_t left;
	int ret;

	ret = (int)syscall(__NR_io_uring_register, ring->ring_fd, CLIMIT_REGISTER_PBUF_STATUS, &st, 1);
	if (ret < 0)
		return -errno;
	left = (uint16_t)(g->br->tail - (uint16_t)st.head);
	if ((uint64_t)left * g->size == tail)
		return 0;
	if (left != 0) {
		ret = io_uring_unregister_buf_ring(ring, g->id);
		if (ret < 0)
			return ret;
		ret = group_register(g, ring);
		if (ret < 0)
			return ret;
	}
	group_publish(g);
	return 0;
}
